#!/bin/sh
# Makes the disk of a test host that is reached over SSH, with its users: ssh-host-disk.sh KEYS SIZE, with a folder with id.pub and the disk's size. What is written
# below these folders stays in the host, and in memory, for as long as this process is there: it is what is left of a host that is off.
set -eu
keys=$1 size=$2
mount --make-rprivate /
mount -t tmpfs -o "size=$size" tmpfs /srv
for folder in /etc /home /opt /root /usr/local /var/lib; do
  at=/srv/$(echo "$folder" | tr / -)
  mkdir -p "$at/up" "$at/work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=$at/up,workdir=$at/work" "$folder"
done
grep -q '^sshd:' /etc/passwd || echo 'sshd:x:2100:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
# A user who has to give a password to sudo, one who need not, and one who may not use it at all. The password is "open sesame".
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
echo made
exec sleep infinity
