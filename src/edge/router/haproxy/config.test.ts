import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteId } from "#model/names.ts";
import type { Listener, Route, RoutePolicy } from "#model/routing-table.ts";
import { endpoint, route } from "../embedded/testing/edge.ts";
import { checkVersion } from "./binary.ts";
import { type Address, backendName, bindAddress, type Config, maps, renderConfig } from "./config.ts";
import { quoted, routeHost, routePath, serverAddress } from "./quoting.ts";
import { refusedLines, takenPorts } from "./refusals.ts";
import { assignSlots, serversOf } from "./servers.ts";
import { linesAfter } from "./stats.ts";
import { timeLimits } from "./time-limits.ts";

function configOf(routes: readonly Route[], https: Address | null = null): Config {
  const slots = assignSlots(new Map(), new Map(routes.map((one) => [one.id, one])));
  const names = new Map<string, string>();
  const nameOf = (key: string) => {
    if (!names.has(key)) names.set(key, `s${names.size + 1}`);
    return names.get(key) ?? "";
  };
  const placed = new Map([...slots].map(([slot, one]) => [backendName(slot), one]));
  return renderConfig({
    http: { host: "127.0.0.1", port: 8_080 },
    https,
    control: "c1.sock",
    bind: bindAddress,
    connections: 1_000,
    connectionsPerClient: 200,
    timeLimits,
    slots,
    servers: (backend) => {
      const one = placed.get(backend);
      return one === undefined || one === null ? [] : serversOf(one, backend, nameOf);
    },
    certificates: [],
    challenges: new Map(),
  });
}

const at = (listener: Listener, policy?: RoutePolicy, id = "r1"): Route => {
  const one = route([{ release: 1, weight: 1, endpoints: [endpoint(3_000)] }], { id, listener });
  return policy === undefined ? one : { ...one, policy };
};
const sectionOf = ({ text }: Config, name: string) => text.split("\n\n").find((section) => section.startsWith(name)) ?? "";

test("a plain route is a server of its backend and a line of a map", () => {
  const config = configOf([at({ kind: "public", host: "App.test.", path: "/a" })]);
  assert.equal(
    sectionOf(config, "backend b1"),
    "backend b1 from http\n  server s1 127.0.0.1:3000 weight 4 pool-purge-delay 2s\n  server nobody 127.0.0.1:1 backup",
  );
  assert.deepEqual([...(config.maps.get(maps.exact) ?? [])], [["app.test/a/", "b1"]]);
});

test("over plain HTTP a place that is sent on to HTTPS hides no shorter one, and is nobody's short way", () => {
  const publicAt = (path: string, mode: "redirect" | "off", id: string) =>
    at({ kind: "public", host: "app.test", path }, { tls: { mode } }, id);
  const config = configOf([publicAt("/", "off", "whole"), publicAt("/login", "redirect", "login")], { host: "127.0.0.1", port: 8_443 });
  assert.deepEqual(
    [...(config.maps.get(maps.plain) ?? [])],
    [
      ["app.test/", "b1"],
      ["app.test/login/", "sent"],
    ],
  );
  assert.equal(config.maps.get(maps.exact)?.get("app.test/login/"), "b2");
  assert.deepEqual([...(config.maps.get(maps.https) ?? [])], [["b2", "1"]]);
});

test("a policy becomes the lines of its backend", () => {
  const config = configOf([
    at(
      { kind: "public", host: "app.test", path: "/" },
      {
        compress: false,
        answer: { kind: "redirect", to: "https://new.test{uri}", status: 308 },
        limits: { answerMs: 5_000, bodyBytes: 10, ratePerClient: { requests: 5, perMs: 1_000, burst: 10 } },
      },
    ),
  ]);
  assert.equal(
    sectionOf(config, "backend b1"),
    [
      "backend b1 from http-plain",
      "  http-request track-sc1 src table b1-client",
      "  http-request return status 429 content-type 'text/plain; charset=utf-8' string '429 Too Many Requests' hdr retry-after 1 hdr cache-control no-store if { sc1_http_req_rate gt 10 }",
      "  http-request deny deny_status 413 if { req.body_size gt 10 }",
      "  http-request return status 411 content-type 'text/plain; charset=utf-8' string '411 Length Required' if { req.fhdr(transfer-encoding) -m found }",
      "  timeout server 5000ms",
      "  http-request redirect code 308 location 'https://new.test'%[pathq]''",
      "  server s1 127.0.0.1:3000 weight 4 pool-purge-delay 2s",
      "  server nobody 127.0.0.1:1 backup",
      "backend b1-client",
      "  stick-table type ipv6 size 100000 expire 4000ms store http_req_rate(2000ms)",
    ].join("\n"),
  );
});

test("routes for one place are asked by their conditions, and what meets none goes to the place around it", () => {
  const config = configOf([
    at({ kind: "public", host: "*", path: "/" }, undefined, "any"),
    at({ kind: "public", host: "a.test", path: "/x", when: { methods: ["POST"] } }, undefined, "post"),
    at({ kind: "public", host: "a.test", path: "/x", when: { methods: ["POST"], headers: { "x-a": null } } }, undefined, "both"),
  ]);
  const lines = config.text.split("\n").filter((line) => line.includes("-m str p1"));
  assert.deepEqual(lines, [
    "  http-request set-var(txn.to) str(b3) if { var(txn.to) -m str p1 } { req.fhdr(x-a) -m found } { method POST }",
    "  http-request set-var(txn.to) str(b2) if { var(txn.to) -m str p1 } { method POST }",
    "  http-request set-var(txn.to) str(b1) if { var(txn.to) -m str p1 }",
  ]);
});

const hostile = [
  "\n  bind :1",
  "a b",
  "#",
  "'",
  '"',
  "\\",
  "%[src]",
  "$HOME",
  "`id`",
  "\0",
  "é",
  "a;b",
  "{x}",
  "x".repeat(2_000),
  "\u202e",
];

test("no name of the table ends a line, opens a section or becomes a variable", () => {
  const clean = configOf([at({ kind: "public", host: "app.test", path: "/" })]);
  for (const evil of hostile) {
    const config = configOf([
      { ...at({ kind: "public", host: `${evil}.test`, path: "/" }, undefined, `${evil}1`), app: evil, space: evil, process: evil },
      at({ kind: "public", host: "app.test", path: `/${evil}` }, undefined, `${evil}2`),
      at({ kind: "public", host: "app.test", path: "/c", when: { headers: { "x-a": evil } } }, undefined, `${evil}3`),
      at({ kind: "public", host: "app.test", path: "/d", when: { headers: { [evil]: "a" } } }, undefined, `${evil}4`),
      at(
        { kind: "public", host: "app.test", path: "/e" },
        { answer: { kind: "redirect", to: `https://x/${evil}`, status: 301 } },
        `${evil}5`,
      ),
      at({ kind: "public", host: "app.test", path: "/f" }, { answer: { kind: "maintenance", message: evil, retryAfterMs: 1 } }, `${evil}6`),
      at(
        { kind: "public", host: "app.test", path: "/g" },
        { upstream: { protocol: "https", verify: true, caPem: evil, serverName: evil } },
        `${evil}7`,
      ),
      {
        ...at({ kind: "public", host: "app.test", path: "/h" }, undefined, `${evil}8`),
        targets: [{ release: 1, weight: 1, endpoints: [{ ...endpoint(1), host: evil }] }],
      },
    ]);
    const sections = ({ text }: Config) =>
      text
        .split("\n")
        .filter((line) => /^\S/.test(line))
        .map((line) => line.replace(/b\d+/g, "b"));
    assert.deepEqual(
      [...new Set(sections(config))].sort(),
      [...new Set([...sections(clean), "backend b from http"])].sort(),
      JSON.stringify(evil),
    );
    assert.match(config.text, /^[\n\x20-\x7e]*$/);
    for (const [, entries] of config.maps)
      for (const [key, value] of entries) assert.match(`${key} ${value}`, /^[\x21-\x7e]+ [\x20-\x7e]+$/, JSON.stringify(evil));
    const binds = config.text.split("\n").filter((line) => /^\s*bind /.test(line));
    assert.equal(binds.length, 2, JSON.stringify(binds));
  }
});

test("words of a configuration are quoted or refused", () => {
  assert.equal(quoted("it's"), "'it'\\''s'");
  assert.equal(quoted("a\nb"), null);
  assert.equal(routeHost("*.App.test."), "*.app.test");
  assert.equal(routeHost("a_b.test"), "a_b.test");
  for (const host of ["", ".", "a..b", "a b", "-a", "a/b", "*a.test"]) assert.equal(routeHost(host), null, host);
  assert.equal(routePath("/a%20b"), "/a%20b/");
  for (const path of ["/a b", "/..", "/a?b", "/#", "/a;b"]) assert.equal(routePath(path), null, path);
  assert.equal(serverAddress("::1", 80), "ipv6@[::1]:80");
  for (const host of ["app.test", "1.2.3", "::1%eth0", ""]) assert.equal(serverAddress(host, 80), null, host);
});

test("shares of releases become weights of their servers", () => {
  const target = (release: number, weight: number, ...ports: readonly number[]) => ({
    release,
    weight,
    endpoints: ports.map((port) => endpoint(port)),
  });
  const weights = (...targets: Parameters<typeof route>[0]) => serversOf(route(targets), "b1", (key) => key).map(({ weight }) => weight);
  assert.deepEqual(weights(target(1, 1, 1, 2)), [4, 4]);
  assert.deepEqual(weights(target(1, 900, 1, 2), target(2, 100, 3)), [256, 256, 57]);
  assert.deepEqual(weights(target(1, 1, 1), target(2, 0, 2)), [4, 0]);
});

test("a route keeps its backend, and new ones take spare ones before more are made", () => {
  const [a, b, c] = ["a", "b", "c"].map((id) => at({ kind: "public", host: `${id}.test`, path: "/" }, undefined, id)) as [
    Route,
    Route,
    Route,
  ];
  const of = (...routes: readonly Route[]) => new Map<RouteId, Route>(routes.map((one) => [one.id, one]));
  const first = assignSlots(new Map(), of(a, b));
  const second = assignSlots(first, of(b, c));
  assert.equal(second.size, first.size);
  assert.equal(second.get(2)?.id, "b");
  assert.equal(second.get(1), null, "what may still have something under way is taken last");
  assert.equal(second.get(3)?.id, "c");
});

test("what HAProxy says names lines and ports", () => {
  assert.deepEqual(
    refusedLines("[NOTICE] (1) : x\n[ALERT]    (7) : config : parsing [h2.cfg:130] : error detected in backend 'b4'.\n").map(
      ({ line }) => line,
    ),
    [130],
  );
  assert.deepEqual(
    takenPorts("[ALERT] (1) : Starting frontend f: cannot bind socket (Address already in use) [127.0.0.1:30000]"),
    [30_000],
  );
});

test("a HAProxy that is too old is refused with what to do", () => {
  assert.equal(checkVersion("haproxy", "HAProxy version 2.6.12-1+deb12u4 2026/10/17"), "2.6.12-1+deb12u4");
  assert.equal(checkVersion("haproxy", "HAProxy version 3.2.1-1 2026/01/01"), "3.2.1-1");
  for (const text of ["HA-Proxy version 2.2.9-2+deb11u6", "HAProxy version 2.5.14", "nginx"])
    assert.throws(() => checkVersion("haproxy", text), { code: "ROUTER_UNUSABLE" });
});

test("a line of the log that was read before is not read again, and none is left out once older ones are gone", () => {
  assert.deepEqual(linesAfter("", "1 b1\n3 b1"), ["1 b1", "3 b1"]);
  assert.deepEqual(linesAfter("3 b1", "1 b1\n3 b1\n2 b1"), ["2 b1"]);
  assert.deepEqual(linesAfter("2 b1", "3 b1\n2 b1"), []);
  assert.deepEqual(linesAfter("2 b1", "4 b1\n5 b1"), ["4 b1", "5 b1"]);
});
