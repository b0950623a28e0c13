#!/usr/bin/env bash
# Builds what guests of the kind qemu boot from: Debian of this machine's own release and mirrors, with cloud-init, and
# Nomad installed as HashiCorp's packages do, its unit disabled. It looks for nothing but the NoCloud data of its VM.
#
#	hack/guest-image.sh NOMAD DIRECTORY    writes disk.raw (sparse), vmlinuz and initrd into the directory
#
# Needs mmdebstrap and e2fsprogs, and an apt-get that has seen `apt-get update` or may do it.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"

packages=(systemd-sysv udev dbus kmod procps iproute2 e2fsprogs netplan.io cloud-init linux-image-cloud-amd64)

# before runs when dpkg works and before the kernel is installed, so that its initrd is built once, and small.
before() {
	mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
	echo MODULES=list >"$1/etc/initramfs-tools/conf.d/guest"
	printf 'virtio_pci\nvirtio_blk\next4\n' >"$1/usr/share/initramfs-tools/modules.d/guest"
}

# after runs with everything installed.
after() {
	local root=$1
	install -m 755 "$NOMAD" "$root/usr/bin/nomad"
	mkdir -p "$root/etc/nomad.d" "$root/opt/nomad/data"
	cat >"$root/etc/nomad.d/nomad.hcl" <<-'HCL'
		# As packaged: whoever doesn't overwrite this file has a cluster of one in every guest.
		data_dir  = "/opt/nomad/data"
		bind_addr = "0.0.0.0"
		server {
		  enabled          = true
		  bootstrap_expect = 1
		}
		client {
		  enabled = true
		  servers = ["127.0.0.1"]
		}
	HCL
	cat >"$root/lib/systemd/system/nomad.service" <<-'UNIT'
		[Unit]
		Description=Nomad
		Wants=network-online.target
		After=network-online.target

		[Service]
		Type=notify
		EnvironmentFile=-/etc/nomad.d/nomad.env
		ExecReload=/bin/kill -HUP $MAINPID
		ExecStart=/usr/bin/nomad agent -config /etc/nomad.d
		KillMode=process
		KillSignal=SIGINT
		LimitNOFILE=65536
		LimitNPROC=infinity
		Restart=on-failure
		RestartSec=2
		TasksMax=infinity
		OOMScoreAdjust=-1000

		[Install]
		WantedBy=multi-user.target
	UNIT
	cat >"$root/etc/cloud/cloud.cfg.d/99_guest.cfg" <<-'YAML'
		datasource_list: [NoCloud]
		cloud_init_modules: [bootcmd, write-files, resizefs, disk_setup, mounts, set_hostname, update_hostname, users-groups]
		cloud_config_modules: [runcmd]
		cloud_final_modules: [write-files-deferred, scripts-user, final-message]
	YAML
	echo 'LABEL=root / ext4 defaults,noatime 0 0' >"$root/etc/fstab"
	: >"$root/etc/machine-id"
	# What an emulated processor would only spend time on.
	printf 'blacklist %s\n' kvm kvm_amd kvm_intel aesni_intel cryptd psmouse >"$root/etc/modprobe.d/guest.conf"
	for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
	cp -L "$root"/vmlinuz "$OUT/vmlinuz"
	cp -L "$root"/initrd.img "$OUT/initrd"
	image "$root"
}

# image writes the tree without what is mounted in it.
image() {
	local bare
	bare=$(mktemp -d)
	mount --bind "$1" "$bare"
	truncate -s 3G "$OUT/disk.raw"
	mke2fs -q -t ext4 -L root -E lazy_itable_init=0,lazy_journal_init=0 -d "$bare" "$OUT/disk.raw"
	umount "$bare"
	rmdir "$bare"
}

# sources are this machine's own of Debian, as apt knows them.
sources() {
	apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' 'Origin: Debian' "Architecture: $(dpkg --print-architecture)" | sort -u
}

case $1 in
before | after)
	"$@"
	;;
*)
	export NOMAD=$1 OUT=$2
	self=$(realpath "${BASH_SOURCE[0]}")
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	list=$(sources)
	if [[ $list != *" $suite "* ]]; then
		apt-get update -qq || true # a fresh system hasn't seen one
		list=$(sources)
	fi
	if [[ $list != *" $suite "* ]]; then
		echo "guest-image: apt knows no archive of Debian $suite; this needs a Debian system and \`apt-get update\`" >&2
		exit 1
	fi
	mmdebstrap --variant=minbase --format=null \
		--include="$(IFS=,; echo "${packages[*]}")" \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--essential-hook="bash '$self' before \"\$1\"" --customize-hook="bash '$self' after \"\$1\"" \
		"$suite" /dev/null - <<<"$list"
	;;
esac
