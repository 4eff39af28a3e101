import assert from "node:assert/strict";
import { test } from "node:test";
import { addCommand } from "./add-command.ts";

const none = { hosts: "", labels: "", jump: "" };

test("hosts, labels and hosts on the way become the command that adds them", () => {
  assert.deepEqual(addCommand({ hosts: "m2=ops@10.0.0.2\n\n [fd00::3]:2222 ", labels: "zone=a disk=ssd", jump: "ops@bastion" }), {
    command: "drover machine add m2=ops@10.0.0.2 '[fd00::3]:2222' --label zone=a --label disk=ssd --jump ops@bastion",
    wrong: null,
  });
});

test("what is no host or no label is named, and nothing that a shell acts on leaves its quotes", () => {
  assert.match(addCommand({ ...none, hosts: "m2 -oProxyCommand=x" }).wrong ?? "", /“-oProxyCommand=x” is no host/);
  assert.match(addCommand({ ...none, hosts: "m2 m2" }).wrong ?? "", /“m2” is named twice/);
  assert.match(addCommand({ ...none, hosts: "m2", labels: "zone" }).wrong ?? "", /“zone” is no label/);
  assert.equal(addCommand({ ...none, hosts: "m2", jump: "a;rm -rf ~" }).command, "drover machine add m2 --jump 'a;rm -rf ~'");
});
