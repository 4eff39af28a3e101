# Waits until the agent dies, and then becomes the program that keeps the instances' pipes from filling up.
# usage: /bin/sh keeper.sh PROGRAM [ARGUMENT…], with standard input a socket to the agent. A line on it means that the agent ends in order.
read -r word || exec "$@"
