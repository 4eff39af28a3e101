import type { IncomingHttpHeaders } from "node:http";
import { DroverError } from "#model/errors.ts";

/** Methods that change nothing. Everything else, and every upgrade, must not come from another site's page. */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
const loopbackHosts = ["localhost", "127.0.0.1", "[::1]"] as const;

export interface RequestGuard {
  /** @throws {DroverError} FORBIDDEN for a host that is not this server's, or a request that another site's page made. */
  check(request: { readonly method: string; readonly headers: IncomingHttpHeaders; readonly isUpgrade: boolean }): void;
}

/**
 * Refuses what a browser could be made to send: a page that rebinds its own name to 127.0.0.1 (wrong Host), and cross-site requests
 * (Origin, Sec-Fetch-Site). Commands send neither of the latter two, which is fine: no credential of ours is ever sent by itself.
 * @param hosts names besides the loopback ones under which the server is reached, without port.
 */
export function createRequestGuard(hosts: readonly string[]): RequestGuard {
  const allowed = new Set<string>([...loopbackHosts, ...hosts.map((host) => host.toLowerCase())]);
  return {
    check: ({ method, headers, isUpgrade }) => {
      const host = headers.host ?? "";
      if (!allowed.has(hostName(host))) {
        throw new DroverError("FORBIDDEN", `the server is not reached as "${host.slice(0, 100)}"`, {
          hint: "Use the address that `drover status` shows, or start the server with `--host NAME`.",
        });
      }
      if (safeMethods.has(method) && !isUpgrade) return;
      const site = headers["sec-fetch-site"];
      if (site !== undefined && site !== "same-origin" && site !== "none") refuseCrossSite(String(site));
      const origin = headers.origin;
      if (origin !== undefined && !isSameOrigin(origin, host)) refuseCrossSite(origin);
    },
  };
}

function refuseCrossSite(from: string): never {
  throw new DroverError("FORBIDDEN", `a page of another site (${from.slice(0, 100)}) may not change anything here`, {
    hint: "Use the `drover` command, or a program that sends no Origin header.",
  });
}

function isSameOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

/** `127.0.0.1:7373` → `127.0.0.1`; `[::1]:7373` → `[::1]`. */
function hostName(host: string): string {
  const end = host.lastIndexOf(":");
  const hasPort = end > host.lastIndexOf("]");
  return (hasPort && end !== -1 ? host.slice(0, end) : host).toLowerCase();
}
