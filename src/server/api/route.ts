import type { Readable } from "node:stream";
import type { z } from "zod";
import type { Right } from "#model/access.ts";
import type { AccessRule, Principal, Resource } from "../access/access-rule.ts";
import type { Receipt } from "../operations/receipt.ts";

export type Method = "GET" | "PUT" | "POST" | "PATCH" | "DELETE";

type Shape = z.ZodType<Readonly<Record<string, unknown>>>;

/** What a route reads from the body of a request. */
export type BodyRule =
  | { readonly kind: "none" }
  | { readonly kind: "json"; readonly schema: z.ZodType; readonly maxBytes: number }
  | { readonly kind: "bytes"; readonly maxBytes: number }
  /** Passed on as it arrives, never held in memory. */
  | { readonly kind: "stream"; readonly maxBytes: number };

/** What a route answers with, for the reference. */
export type AnswerRule =
  | { readonly kind: "none" }
  | { readonly kind: "json"; readonly schema: z.ZodType; readonly hasEtag?: boolean }
  | { readonly kind: "bytes" }
  /** HTML for a person's browser. */
  | { readonly kind: "page" }
  | { readonly kind: "text"; readonly type: string }
  /** Server-sent events. */
  | { readonly kind: "events"; readonly schema: z.ZodType }
  /** One JSON value a line. */
  | { readonly kind: "lines"; readonly schema: z.ZodType }
  | { readonly kind: "upgrade" };

/** `If-Match` and `If-None-Match: *` as the revision that the object must have; 0: it must not exist; null: no condition. */
export type Precondition = number | null;

/** One request, checked: who may not call never gets here, and everything has the form that the route states. */
export interface Call {
  readonly params: Readonly<Record<string, string>>;
  /** Who calls. A defect, so a plain error, in a route that asks for nobody. */
  readonly caller: Principal;
  /** Whether the caller may see what is of this space; null: of the installation. For routes that answer with things of many spaces. */
  sees(space: string | null): boolean;
  /** For what shows only once the request is understood. @throws {DroverError} NOT_ALLOWED */
  requireRight(right: Right, resource: Resource): void;
  readonly precondition: Precondition;
  readonly lastEventId: string | null;
  /** Keeps the answer under the request's idempotency key; null without one. */
  readonly receipt: Receipt | null;
  /** Aborted when the caller goes away or the server stops; that of a stream also when the caller's token or session ends. */
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** What the caller's program calls itself; empty if it does not say. */
  readonly userAgent: string;
}

export interface SentEvent {
  readonly id?: string | number;
  readonly event?: string;
  /** JSON text, already encoded, so that one encoding serves every watcher. */
  readonly json: string;
}

/** Headers besides the usual ones. */
type AnswerHeaders = Readonly<Record<string, string>>;

export type Answer =
  | { readonly status?: number; readonly json: unknown; readonly etag?: number; readonly headers?: AnswerHeaders }
  | { readonly status: 204; readonly etag?: number; readonly headers?: AnswerHeaders }
  | { readonly bytes: Uint8Array; readonly etag: number }
  /** @see {@link AnswerRule}; `policy` is its Content-Security-Policy. */
  | { readonly status?: number; readonly page: string; readonly policy: string; readonly etag?: undefined }
  /** Made and sent piece by piece, so that others get their turn between them. */
  | { readonly pieces: Iterable<string>; readonly type: string }
  | { readonly events: AsyncIterable<SentEvent> }
  | { readonly lines: AsyncIterable<unknown> };

interface RouteOf<Q extends Shape, B> {
  readonly method: Method;
  /** Such as `/v1/spaces/:space/apps/:app`; `*` at the end takes the rest of the path. */
  readonly path: string;
  /** Name in OpenAPI: a verb and a noun in camel case. */
  readonly id: string;
  readonly summary: string;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: AnswerRule;
}

export interface Route extends RouteOf<Shape, BodyRule> {
  readonly access: AccessRule;
  readonly handle: (call: Call, query: unknown, body: unknown) => Promise<Answer>;
}

type BodyOf<B> = B extends { kind: "json"; schema: infer S extends z.ZodType }
  ? z.output<S>
  : B extends { kind: "bytes" }
    ? Uint8Array
    : B extends { kind: "stream" }
      ? Readable
      : null;

/** Declares a route whose handler gets its query and body with the types of their schemas. */
export function route<const B extends BodyRule = { kind: "none" }, Q extends Shape = z.ZodType<Record<string, never>>>(
  declared: RouteOf<Q, B> & {
    readonly access: AccessRule<z.output<Q>, BodyOf<B>>;
    readonly handle: (call: Call, query: z.output<Q>, body: BodyOf<B>) => Promise<Answer>;
  },
): Route {
  return declared as unknown as Route;
}

/** Most bytes of a JSON body. */
export const jsonBodyBytes = 2 ** 20;

export function json<S extends z.ZodType>(schema: S, maxBytes = jsonBodyBytes): { kind: "json"; schema: S; maxBytes: number } {
  return { kind: "json", schema, maxBytes };
}
