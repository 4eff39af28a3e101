import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { time } from "./der.ts";
import { keyPem, makeCertificate, newKey } from "./make-certificate.ts";

const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 0, 1, 12);
const life = { notBeforeMs: nowMs - dayMs, notAfterMs: nowMs + dayMs };

test("an authority's certificate signs a server's, which is for its names and addresses", async () => {
  const [rootKey, leafKey] = [await newKey(), await newKey()];
  const root = new X509Certificate(makeCertificate({ name: "Root", key: rootKey, ...life, use: { kind: "authority" } }));
  const hosts = ["shop.localhost", "*.shop.localhost", "127.0.0.1", "::1", "2001:db8::1:2"];
  const issuer = { name: "Root", key: rootKey };
  const leaf = new X509Certificate(makeCertificate({ name: "Leaf", key: leafKey, issuer, ...life, use: { kind: "server", hosts } }));
  assert.ok(root.ca && root.verify(root.publicKey));
  assert.ok(!leaf.ca && leaf.checkIssued(root) && leaf.verify(root.publicKey) && leaf.checkPrivateKey(leafKey));
  assert.equal(leaf.subject, "CN=Leaf");
  assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  for (const host of ["shop.localhost", "web.shop.localhost"]) assert.ok(leaf.checkHost(host), host);
  for (const address of ["127.0.0.1", "::1", "2001:db8:0:0:0:0:1:2"]) assert.ok(leaf.checkIP(address), address);
  assert.equal(leaf.checkHost("other.localhost"), undefined);
  assert.deepEqual([leaf.validFromDate.getTime(), leaf.validToDate.getTime()], [life.notBeforeMs, life.notAfterMs]);
});

test("no two certificates have the same number", async () => {
  const key = await newKey();
  const make = () => new X509Certificate(makeCertificate({ name: "x", key, ...life, use: { kind: "client", hosts: [] } })).serialNumber;
  assert.notEqual(make(), make());
});

test("a key is written as everybody reads it", async () => {
  const key = await newKey();
  assert.ok(createPrivateKey(keyPem(key)).equals(key));
});

test("times past 2049 have all four digits of their year", () => {
  assert.equal(time(Date.UTC(2049, 11, 31)).toString("latin1", 2), "491231000000Z");
  assert.equal(time(Date.UTC(2050, 0, 1)).toString("latin1", 2), "20500101000000Z");
});

test("a key of another kind is not passed off as P-256", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  assert.throws(() => makeCertificate({ name: "x", key: privateKey, ...life, use: { kind: "authority" } }));
});
