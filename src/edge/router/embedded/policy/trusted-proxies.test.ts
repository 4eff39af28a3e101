import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNetwork } from "#host/network.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

const trusted = new TrustedProxies(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"].map(parseNetwork));

test("the client is the last of the chain that is no trusted proxy, whatever it claims in front of it", () => {
  for (const [forwardedFor, address, chain] of [
    ["", "10.0.0.1", "10.0.0.1"],
    ["198.51.100.1", "198.51.100.1", "198.51.100.1, 10.0.0.1"],
    ["127.0.0.1, 198.51.100.1", "198.51.100.1", "127.0.0.1, 198.51.100.1, 10.0.0.1"],
    ["198.51.100.1, 10.9.9.9", "198.51.100.1", "198.51.100.1, 10.9.9.9, 10.0.0.1"],
    ["198.51.100.1, nonsense, 10.9.9.9", "10.9.9.9", "10.9.9.9, 10.0.0.1"],
    ["198.51.100.1:4711", "198.51.100.1", "198.51.100.1, 10.0.0.1"],
    ["[2001:db9::1]:80", "2001:db9::1", "2001:db9::1, 10.0.0.1"],
    ["::ffff:198.51.100.1", "198.51.100.1", "198.51.100.1, 10.0.0.1"],
    ["evil\"'<script>", "10.0.0.1", "10.0.0.1"],
    ["10.1.1.1, 10.2.2.2", "10.1.1.1", "10.1.1.1, 10.2.2.2, 10.0.0.1"],
  ] as const)
    assert.deepEqual(trusted.client("10.0.0.1", forwardedFor), { address, chain }, forwardedFor);
});

test("only what is listed is trusted", () => {
  for (const [address, is] of [
    ["10.255.0.1", true],
    ["11.0.0.1", false],
    ["192.0.2.7", true],
    ["192.0.2.8", false],
    ["2001:db8:1::1", true],
    ["2001:db9::1", false],
    ["unknown", false],
  ] as const)
    assert.equal(trusted.has(address), is, address);
});
