import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { exchangeBytes, host, rawOrigin, routeTo, statusOf } from "../embedded/testing/edge.ts";
import type { Check } from "./contract.ts";
import type { RouterKind } from "./routers.ts";

const lines = (...all: readonly string[]) => `${all.join("\r\n")}\r\n\r\n`;
const get = (...headers: readonly string[]) => lines("GET / HTTP/1.1", `Host: ${host}`, ...headers);

async function forwarded(kind: RouterKind, t: TestContext, bytes: string): Promise<{ readonly head: string; readonly answer: string }> {
  const origin = await rawOrigin(
    t,
    (soFar, socket) => soFar.includes("\r\n\r\n") && socket.end("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"),
  );
  const edge = await kind.start(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answer = await exchangeBytes(edge.port, bytes);
  return { head: (origin.received[0] ?? "").split("\r\n\r\n")[0] as string, answer };
}

/** What an app is told about its client, and in which form it gets a request, at any router. */
export function identityContract(kind: RouterKind, check: Check): void {
  check("who the client is, is said by the edge alone", async (t) => {
    const forged = [
      "X-Forwarded-For",
      "X-Forwarded-Host",
      "X-Forwarded-Proto",
      "X-Forwarded-Anything",
      "Forwarded",
      "X-Real-Ip",
      "X_Real_Ip",
      "x-real_ip",
      "X_Forwarded_For",
      "X-Drover-User",
      "X_Drover_User",
      "X-SSL-Client",
      "X-Request-Id",
      "X_Request_Id",
      "Proxy",
      "X-Original-Url",
    ];
    const { head } = await forwarded(
      kind,
      t,
      get(...forged.map((name) => `${name}: forged`), "Connection: close, x-real-ip, x-forwarded-for", "X-Mine: kept"),
    );
    assert.doesNotMatch(head, /forged/);
    assert.deepEqual(
      head
        .toLowerCase()
        .replace(/(?<=x-request-id: )[0-9a-f-]{8,}/, "ID")
        .split("\r\n")
        .slice(1)
        .sort(),
      [
        "host: app.test",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: app.test",
        "x-forwarded-proto: http",
        "x-mine: kept",
        "x-real-ip: 127.0.0.1",
        "x-request-id: ID",
      ],
    );
  });

  check("an offer of HTTP/2 is not taken up and never reaches the app", async (t) => {
    const { head, answer } = await forwarded(
      kind,
      t,
      get("Connection: Upgrade, HTTP2-Settings, close", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    );
    assert.equal(statusOf(answer), 200);
    assert.doesNotMatch(head, /h2c|settings/i);
  });

  check("an app gets one canonical form of host and path", async (t) => {
    for (const [given, wanted] of [
      ["/%61%2D%7e?%3d", "/a-~?%3d"],
      ["//a///b//", "/a/b/"],
      ["/caf%c3%a9", "/caf%C3%A9"],
      ["/a;x=1/b", "/a;x=1/b"],
      ["/100%25", "/100%25"],
      ["http://APP.test./x", "/x"],
      ["/?", "/?"],
      ["/a?//../%2f", "/a?//../%2f"],
    ] as const) {
      const { head } = await forwarded(kind, t, lines(`GET ${given} HTTP/1.1`, "Host: App.TEST.", "Connection: close"));
      const [path, query] = (/^GET (\S+) HTTP\/1\.1\r\n/.exec(head)?.[1] ?? "").split(/(?=\?)/);
      const [wantedPath, wantedQuery] = wanted.split(/(?=\?)/);
      // Whether the escapes of a query are in one case is left to the router: no rule looks at it.
      assert.deepEqual([path, query?.toLowerCase()], [wantedPath, wantedQuery], given);
      assert.match(head, /host: app\.test\r\n/);
    }
  });
}
