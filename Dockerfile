# The binary is built outside: make image. One static file, and under which licences it may be used.
FROM scratch
COPY LICENSE NOTICE /
COPY bin/nomad-harvester /nomad-harvester
USER 65532:65532
ENTRYPOINT ["/nomad-harvester"]
CMD ["controller"]
