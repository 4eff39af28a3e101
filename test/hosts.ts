import { once } from "node:events";
import { Hosts, whyNoHosts } from "./harness/hosts.ts";

// `node test/hosts.ts up 3`: three hosts on this one, to try by hand what takes several. They are there until Ctrl-C.

const [verb, number = "3"] = process.argv.slice(2);
const count = Number(number);
const why = verb !== "up" || !(count >= 1 && count <= 200) ? "usage: node test/hosts.ts up N, with N from 1 to 200" : whyNoHosts();
if (why !== null) {
  process.stderr.write(`error: ${why}\n`);
  process.exit(2);
}
await using hosts = await Hosts.up(count);
for (let i = 1; i <= count; i++) {
  const { name, address, enter } = hosts.get(`h${i}`);
  process.stdout.write(`${name}  ${address}  enter it with: ${enter.join(" ")} sh\n`);
}
process.stdout.write("until Ctrl-C\n");
await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
