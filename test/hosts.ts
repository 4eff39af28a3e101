import { once } from "node:events";
import { Hosts, whyNoHosts } from "./harness/hosts.ts";
import { Rack } from "./harness/rack.ts";
import { SshHosts, whyNoSshHosts } from "./harness/ssh-hosts.ts";

// `node test/hosts.ts up 3`: three hosts on this one, to try by hand what takes several. They are there until Ctrl-C. With `--ssh` they are bare
// ones that are reached from here over SSH, in a rack that switches their power: what examples/fleet takes.

const [verb, number = "3", ...options] = process.argv.slice(2);
const count = Number(number);
const isSsh = options[0] === "--ssh";
const isUsed = verb === "up" && count >= 1 && count <= 200 && options.length === (isSsh ? 1 : 0);
const why = !isUsed ? "usage: node test/hosts.ts up N [--ssh], with N from 1 to 200" : isSsh ? whyNoSshHosts() : whyNoHosts();
if (why !== null) {
  process.stderr.write(`error: ${why}\n`);
  process.exit(2);
}
const names = Array.from({ length: count }, (_, i) => `h${i + 1}`);
await using made = new AsyncDisposableStack();
const hosts = made.use(await (isSsh ? SshHosts : Hosts).up(count, isSsh));
if (hosts instanceof SshHosts) for (const name of names) await hosts.serve(name);
for (const name of names) {
  const { address, enter } = hosts.get(name);
  process.stdout.write(`${name}  ${address}  enter it with: ${enter.join(" ")} sh\n`);
}
if (hosts instanceof SshHosts) {
  const rack = made.use(await Rack.open(hosts, names));
  process.stdout.write(`they let in root with the key ${hosts.identity}\n\n`);
  for (const [i, name] of names.entries()) process.stdout.write(`HOST${i + 1}=root@${hosts.get(name).address}\n`);
  process.stdout.write(`RACK=${rack.url}\n\nthey reach this machine at ${hosts.own}\n`);
}
process.stdout.write("until Ctrl-C\n");
await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
