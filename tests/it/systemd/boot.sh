#!/bin/sh
# Runs systemd as process 1 of namespaces of its own, on a copy of this system whose changes go with it.
# Usage: boot.sh DIR BIPLANE, in new mount, process, cgroup, UTS and IPC namespaces; DIR/seed is laid over the system, and
# the program is /usr/bin/biplane there.
set -eu
dir=$1
biplane=$2
mount --make-rprivate /
mount -t tmpfs none "$dir/over"
mkdir "$dir/over/upper" "$dir/over/work" "$dir/over/root"
cp -a "$dir/seed/." "$dir/over/upper/"
mount -t overlay -o "lowerdir=/,upperdir=$dir/over/upper,workdir=$dir/over/work" overlay "$dir/over/root"
cd "$dir/over/root"
# Of what a system starts at boot only the journal: no unit of this machine's, nothing that sets up the kernel.
keep=systemd-journald
for wants in etc/systemd/system/*.wants usr/lib/systemd/system/*.wants; do
    for unit in "$wants"/*; do
        case "$unit" in *"$keep"*) ;; *) rm -rf "$unit" ;; esac
    done
done
: >etc/fstab
: >usr/bin/biplane
mount --bind "$biplane" usr/bin/biplane
mount -t proc none proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro none sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs none run
mount -t tmpfs none tmp
mount -t tmpfs none dev
mkdir dev/shm dev/pts
for node in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 666 dev/tty c 5 0
mount -t devpts -o newinstance,ptmxmode=666 none dev/pts
ln -s pts/ptmx dev/ptmx
mkdir old
pivot_root . old
umount -l old
container=lxc exec chroot . /lib/systemd/systemd --system --unit=basic.target --log-target=journal-or-kmsg --show-status=no
