import { signal } from "@preact/signals";
import type { OpenedSession } from "#model/api-access.ts";

/** Where the page keeps its half of the session: of this very origin, port included, while the cookie goes to every port of the host. */
const pageKeyItem = "drover-page-key";
/** How long an answer may take to begin; streams take no longer to do so. */
const answerMs = 30_000;

/** What went wrong, as the API says it; `UNREACHABLE` when nothing answers. */
export class ApiError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly details: unknown;

  constructor(code: string, message: string, hint = "", details: unknown = null) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.details = details;
  }
}

/** Whether the API takes the page for somebody. Null until the first answer. */
export const isLoggedIn = signal<boolean | null>(localStorage.getItem(pageKeyItem) === null ? false : null);

type Parameter = string | number | boolean | readonly string[] | undefined;

/** A path under `/v1`, each part escaped; parameters that are undefined are left out, lists are given one by one. */
export function apiPath(parts: readonly string[], query: Readonly<Record<string, Parameter>> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) search.append(name, String(one));
  const path = `/v1/${parts.map(encodeURIComponent).join("/")}`;
  return search.size === 0 ? path : `${path}?${search}`;
}

/** One call with a JSON answer; null if it has none. @throws {ApiError} */
export async function call<T>(
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly signal?: AbortSignal } = {},
): Promise<T> {
  const response = await send(method, path, options);
  const text = await response.text();
  return (text === "" ? null : JSON.parse(text)) as T;
}

/** One call whose answer is read as it comes. @throws {ApiError} */
export async function open(
  path: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const { body } = await send("GET", path, { signal, headers });
  if (body === null) throw new ApiError("UNREACHABLE", "the server answered with nothing");
  return body;
}

/** Exchanges the ticket of a link for a session. @throws {ApiError} UNAUTHENTICATED */
export async function logIn(ticket: string): Promise<void> {
  const { pageKey } = await call<OpenedSession>("POST", "/v1/sessions", { body: { ticket } });
  localStorage.setItem(pageKeyItem, pageKey);
  isLoggedIn.value = true;
}

export async function logOut(): Promise<void> {
  await call("DELETE", "/v1/sessions/current");
  localStorage.removeItem(pageKeyItem);
  isLoggedIn.value = false;
}

interface Sent {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

async function send(method: string, path: string, { body, signal, headers }: Sent): Promise<Response> {
  const pageKey = localStorage.getItem(pageKeyItem);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), answerMs);
  try {
    const response = await fetch(path, {
      method,
      credentials: "same-origin",
      redirect: "error",
      signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
      headers: {
        ...headers,
        ...(pageKey === null ? {} : { "x-drover-page": pageKey }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.status === 401) isLoggedIn.value = false;
    else if (response.ok) isLoggedIn.value = true;
    if (!response.ok) throw await errorOf(response);
    return response;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ApiError) throw error;
    throw new ApiError("UNREACHABLE", "the server does not answer", "What runs goes on without it. This page tries again by itself.");
  } finally {
    clearTimeout(timer);
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const { code, message, hint, details } = JSON.parse(text) as Record<string, unknown>;
    return new ApiError(String(code), String(message), String(hint ?? ""), details);
  } catch {
    // Something in between answered, not Drover.
    return new ApiError("UNREACHABLE", `what answers is no Drover (HTTP ${response.status})`);
  }
}
