import { createHash } from "node:crypto";
import type { Route, RoutePolicy } from "#model/routing-table.ts";
import type { Choice, LiveTarget } from "../choice.ts";
import { headerValues } from "../conditions.ts";
import type { Endpoint } from "../endpoint.ts";

/** 72 bits: enough that no two instances of a route share one. */
const markLength = 12;

/**
 * Keeps clients with the release and the instance that served them first, by a cookie that holds opaque marks of both: the same on every worker
 * and edge without anything that they would have to share, and without a word about addresses or names.
 */
export class Stickiness {
  readonly #name: string;
  readonly #attributes: string;
  readonly #route: string;
  readonly #byMark = new Map<string, Choice>();
  readonly #releases = new Map<string, LiveTarget>();
  readonly #values = new Map<Endpoint, Map<LiveTarget, string>>();

  constructor({ id, listener }: Route, { forMs }: NonNullable<RoutePolicy["sticky"]>) {
    this.#route = id;
    this.#name = `drover-${mark(id)}`;
    const path = listener.kind === "public" ? listener.path : "/";
    this.#attributes = `Max-Age=${Math.max(1, Math.round(forMs / 1_000))}; Path=${path.includes(";") ? "/" : path}; HttpOnly; SameSite=Lax`;
  }

  /** The route's targets are these from now on. */
  use(targets: readonly LiveTarget[]): void {
    this.#byMark.clear();
    this.#releases.clear();
    this.#values.clear();
    for (const target of targets) {
      // A release that takes nothing new lets go of those that it had.
      if (target.weight <= 0) continue;
      const release = mark(`${this.#route}\n${target.release}`);
      this.#releases.set(release, target);
      for (const endpoint of target.endpoints) {
        const value = `${release}.${mark(`${this.#route}\n${endpoint.instance.id}`)}`;
        this.#byMark.set(value, { target, endpoint });
        const values = this.#values.get(endpoint) ?? new Map<LiveTarget, string>();
        this.#values.set(endpoint, values.set(target, value));
      }
    }
  }

  /** Where the client was before, as far as that is still there. */
  find(kept: string): { readonly choice: Choice | null; readonly target: LiveTarget | null } {
    const value = this.#cookie(kept);
    if (value === null) return { choice: null, target: null };
    return { choice: this.#byMark.get(value) ?? null, target: this.#releases.get(value.slice(0, markLength)) ?? null };
  }

  /** The header line that makes the client come back; empty if it does so already. */
  line(kept: string, target: LiveTarget | null, endpoint: Endpoint | null, isSecure: boolean): string {
    const value = target === null || endpoint === null ? undefined : this.#values.get(endpoint)?.get(target);
    if (value === undefined || value === this.#cookie(kept)) return "";
    return `set-cookie: ${this.#name}=${value}; ${this.#attributes}${isSecure ? "; Secure" : ""}\r\n`;
  }

  #cookie(kept: string): string | null {
    for (const line of headerValues(kept, "cookie"))
      for (const pair of line.split(";")) {
        const text = pair.trim();
        if (text.startsWith(this.#name) && text.charCodeAt(this.#name.length) === 61) return text.slice(this.#name.length + 1);
      }
    return null;
  }
}

function mark(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, markLength);
}
