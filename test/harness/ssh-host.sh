#!/bin/sh
# Makes a test host one that is reached over SSH and has a disk of its own where something is to be installed: what is written below these folders stays in
# the host, and in memory. Run inside the host: ssh-host.sh SSHD KEYS SIZE, with the program, a folder with id.pub and the host's key, and the disk's size.
set -eu
sshd=$1 keys=$2 size=$3
mount --make-rprivate /
mount -t tmpfs -o "size=$size" tmpfs /srv
for folder in /etc /home /opt /root /usr/local /var/lib; do
  at=/srv/$(echo "$folder" | tr / -)
  mkdir -p "$at/up" "$at/work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=$at/up,workdir=$at/work" "$folder"
done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd
# A user who has to give a password to sudo, one who need not, and one who may not use it at all. The password is "open sesame".
grep -q '^sshd:' /etc/passwd || echo 'sshd:x:2100:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
number=2101
for user in asked free barred; do
  echo "$user:x:$number:$number::/home/$user:/bin/sh" >>/etc/passwd
  echo "$user:x:$number:" >>/etc/group
  echo "$user:\$6\$drover\$Gesex1YWoEYIVQzOEstckLyxDi0e2SKBUagPLNQ6HRwffse0pYvw.Ec5aKofEBhkJzEIPF1i75ckHdFemgyoK0:19000:0:99999:7:::" >>/etc/shadow
  mkdir -p "/home/$user/.ssh"
  cp "$keys/id.pub" "/home/$user/.ssh/authorized_keys"
  chown -R "$number:$number" "/home/$user"
  chmod 700 "/home/$user/.ssh"
  number=$((number + 1))
done
mkdir -p /etc/sudoers.d
printf '%s\n' 'asked ALL=(ALL) ALL' 'free ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/drover-test
chmod 440 /etc/sudoers.d/drover-test
mkdir -p /root/.ssh
cp "$keys/id.pub" /root/.ssh/authorized_keys
chmod 700 /root/.ssh
chmod 600 /root/.ssh/authorized_keys
# Several ports, so that one host can stand for several.
printf '%s\n' 'Port 22' 'Port 23' 'Port 24' 'Port 25' 'Port 26' "HostKey $keys/host" 'PidFile none' 'UsePAM no' 'PasswordAuthentication no' 'PermitRootLogin prohibit-password' 'UseDNS no' \
  'StrictModes no' 'LogLevel VERBOSE' >/run/sshd_config
exec "$sshd" -D -e -f /run/sshd_config
