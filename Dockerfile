# The binary is built outside: make image. One static file, nothing else in the image.
FROM scratch
COPY bin/nomad-harvester /nomad-harvester
COPY LICENSE NOTICE /
USER 65532:65532
ENTRYPOINT ["/nomad-harvester"]
CMD ["controller"]
