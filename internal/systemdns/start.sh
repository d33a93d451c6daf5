# Runs systemd as process 1 of namespaces of its own, with the units in $1/units, and with
# the programs of $1/bin in /run/bin. What it can write to is its own: the rest of the
# machine is read-only. Only the network is that of the machine.
set -e
mount --make-rprivate /
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/bin /run/dev
mount --bind "$1/bin" /run/bin
mount -t tmpfs -o mode=755 tmpfs /run/dev
for name in null zero full random urandom tty; do
	touch "/run/dev/$name"
	mount --bind "/dev/$name" "/run/dev/$name"
done
mount --rbind /run/dev /dev
mount --bind "$1" "$1"
mount -o remount,bind,ro /
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=systemdns SYSTEMD_UNIT_PATH="$1/units" \
	/lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no
