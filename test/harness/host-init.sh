#!/bin/sh
# The first process of a test host: it only has to be there, and to take in those whose parents have ended.
hostname "$1"
trap : TERM INT HUP
echo up
sleep infinity &
while :; do wait; done
