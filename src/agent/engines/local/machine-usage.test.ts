import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { measureMachine, parseCpu, parseMemory, parseNetwork, parsePressure } from "./machine-usage.ts";

test("processor time is that of all cores, in seconds, by what it was spent on", () => {
  const text = "cpu  1000 200 300 4000 50 6 7 8 0 0\ncpu0 1000 200 300 4000 50 6 7 8 0 0\nintr 5\n";
  assert.deepEqual(parseCpu(text), { user: 12, system: 3.21, wait: 0.5, idle: 40 });
});

test("memory is what the kernel calls available, and what is free where it does not say", () => {
  const text = "MemTotal:       1024 kB\nMemFree:         100 kB\nMemAvailable:    512 kB\nSwapTotal:         0 kB\n";
  assert.deepEqual(parseMemory(text), { totalBytes: 1_048_576, availableBytes: 524_288 });
  assert.equal(parseMemory(text.replace(/^MemAvailable.*\n/m, "")).availableBytes, 102_400);
});

test("traffic of a machine is that of its interfaces without loopback, however close the columns are", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 9999      10    0    0    0     0          0         0     9999      10    0    0    0     0       0          0
  eth0:1000       10    0    0    0     0          0         0     2000      10    0    0    0     0       0          0
  eth1: 1       10    0    0    0     0          0         0     2      10    0    0    0     0       0          0
`;
  assert.deepEqual(parseNetwork(text), { receivedBytes: 1_001, sentBytes: 2_002 });
});

test("pressure is the time that some process waited", () => {
  assert.equal(
    parsePressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"),
    1.5,
  );
  assert.equal(parsePressure(""), null);
});

test("this machine is measured as a whole", async () => {
  const usage = await measureMachine(tmpdir());
  assert.ok(usage.cpuSeconds.user > 0 && usage.cpuSeconds.idle > 0);
  assert.ok(usage.memory.totalBytes > usage.memory.availableBytes && usage.memory.availableBytes > 0);
  assert.ok(usage.disk.totalBytes >= usage.disk.availableBytes);
});
