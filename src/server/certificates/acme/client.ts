import { createHash, createPublicKey, type KeyObject, sign } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import type { Clock } from "#model/clock.ts";
import { request } from "./https.ts";
import { AcmeProblem } from "./problem.ts";

/** A nonce may be refused at any time, and the next one works (RFC 8555, section 6.5); one that refuses so many is broken. */
const nonceAttempts = 10;
/** Nonces kept for the next calls; each answer brings one. */
const noncesKept = 10;
/** Between two looks at what the authority works on, unless it says when. */
const pollMs = 1_000;
const longestPollMs = 30_000;
/** Validation takes seconds; an authority that takes longer than this is asked again in a quarter of an hour. */
const pollForMs = 120_000;

const directorySchema = z.object({ newNonce: z.url(), newAccount: z.url(), newOrder: z.url() });
const problemSchema = z.object({ type: z.string().default("about:blank"), detail: z.string().default("") });
const failure = z.object({ type: z.string().default(""), detail: z.string().default("") }).optional();
const challengeSchema = z.object({
  type: z.string(),
  url: z.url(),
  token: z.string().regex(/^[A-Za-z0-9_-]{22,256}$/),
  status: z.string(),
  error: failure,
});
export const authorizationSchema = z.object({
  status: z.string(),
  identifier: z.object({ value: z.string() }),
  challenges: z.array(z.looseObject({ type: z.string() })),
});
export const orderSchema = z.object({
  status: z.string(),
  authorizations: z.array(z.url()).max(100),
  finalize: z.url(),
  certificate: z.url().optional(),
  error: failure,
});

export type Challenge = z.output<typeof challengeSchema>;
export type Order = z.output<typeof orderSchema>;

interface ClientOptions {
  readonly key: KeyObject;
  readonly ca: string | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One account at one authority (RFC 8555). Every call is made once, but for refused nonces. */
export class AcmeClient {
  readonly #options: ClientOptions;
  readonly #directory: z.output<typeof directorySchema>;
  readonly #jwk: { readonly crv: string; readonly kty: string; readonly x: string; readonly y: string };
  #nonces: string[] = [];
  #account: string | null = null;

  private constructor(options: ClientOptions, directory: z.output<typeof directorySchema>) {
    this.#options = options;
    this.#directory = directory;
    const { crv = "", kty = "", x = "", y = "" } = createPublicKey(options.key).export({ format: "jwk" });
    this.#jwk = { crv, kty, x, y };
  }

  /** Reads the directory and finds or makes the account of the key. @throws {AcmeProblem} */
  static async open(directory: string, email: string | null, options: ClientOptions): Promise<AcmeClient> {
    const { status, headers, body } = await request("GET", directory, options);
    if (status !== 200) throw problemOf(status, headers, body, options.clock);
    const client = new AcmeClient(options, directorySchema.parse(JSON.parse(body)));
    const contact = email === null ? {} : { contact: [`mailto:${email}`] };
    const account = await client.#post(client.#directory.newAccount, { termsOfServiceAgreed: true, ...contact });
    if (account.headers.location === undefined)
      throw new AcmeProblem("malformed", "the authority gave the account no address", status, null);
    client.#account = account.headers.location;
    return client;
  }

  /** What a challenge is answered with (RFC 8555, section 8.1). */
  keyAuthorization(token: string): string {
    const { crv, kty, x, y } = this.#jwk;
    return `${token}.${createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url")}`;
  }

  async newOrder(host: string): Promise<Order & { readonly url: string }> {
    const { headers, body } = await this.#post(this.#directory.newOrder, { identifiers: [{ type: "dns", value: host }] });
    if (headers.location === undefined) throw new AcmeProblem("malformed", "the authority gave the order no address", 201, null);
    return { ...orderSchema.parse(JSON.parse(body)), url: headers.location };
  }

  async read<T extends z.ZodType>(url: string, schema: T): Promise<z.output<T>> {
    return schema.parse(JSON.parse((await this.#post(url, null)).body));
  }

  /** The challenge of that kind; null if the authority does not offer it. */
  challengeOf(authorization: z.output<typeof authorizationSchema>, kind: string): Challenge | null {
    const found = authorization.challenges.find(({ type }) => type === kind);
    return found === undefined ? null : challengeSchema.parse(found);
  }

  /** The challenge is in place: the authority may look. */
  async ready(challenge: Challenge): Promise<void> {
    await this.#post(challenge.url, {});
  }

  async finalize(order: Order, request: Buffer): Promise<void> {
    await this.#post(order.finalize, { csr: request.toString("base64url") });
  }

  async download(url: string): Promise<string> {
    return (await this.#post(url, null)).body;
  }

  /** Asks again until `isDone`. @throws {AcmeProblem} after two minutes. */
  async poll<T extends z.ZodType<{ readonly status: string }>>(
    url: string,
    schema: T,
    isDone: (value: z.output<T>) => boolean,
  ): Promise<z.output<T>> {
    const { clock, signal } = this.#options;
    const untilMs = clock.monotonicMs() + pollForMs;
    for (;;) {
      const { headers, body } = await this.#post(url, null);
      const value = schema.parse(JSON.parse(body));
      if (isDone(value)) return value;
      if (clock.monotonicMs() >= untilMs)
        throw new AcmeProblem("timeout", `the authority is still at "${value.status}" after two minutes`, 200, null);
      await clock.sleep(Math.min(longestPollMs, retryAfterMs(headers, clock) ?? pollMs), signal);
    }
  }

  /** A signed request; null asks for the resource itself (POST-as-GET). */
  async #post(url: string, payload: object | null): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const body = this.#signed(url, await this.#nonce(), payload);
      const { status, headers, body: text } = await request("POST", url, { ...this.#options, body });
      this.#keepNonce(headers);
      if (status < 400) return { headers, body: text };
      const problem = problemOf(status, headers, text, this.#options.clock);
      if (problem.type !== "badNonce" || attempt === nonceAttempts) throw problem;
    }
  }

  async #nonce(): Promise<string> {
    const kept = this.#nonces.pop();
    if (kept !== undefined) return kept;
    const { status, headers, body } = await request("HEAD", this.#directory.newNonce, this.#options);
    const nonce = headers["replay-nonce"];
    if (status >= 400 || typeof nonce !== "string") throw problemOf(status, headers, body, this.#options.clock);
    return nonce;
  }

  #keepNonce(headers: IncomingHttpHeaders): void {
    const nonce = headers["replay-nonce"];
    if (typeof nonce === "string" && this.#nonces.length < noncesKept) this.#nonces.push(nonce);
  }

  /** A JSON Web Signature, flattened (RFC 7515, section 7.2.2), with ES256. */
  #signed(url: string, nonce: string, payload: object | null): string {
    const who = this.#account === null ? { jwk: this.#jwk } : { kid: this.#account };
    const header = base64Url(JSON.stringify({ alg: "ES256", nonce, url, ...who }));
    const content = payload === null ? "" : base64Url(JSON.stringify(payload));
    const signature = sign("sha256", Buffer.from(`${header}.${content}`), { key: this.#options.key, dsaEncoding: "ieee-p1363" });
    return JSON.stringify({ protected: header, payload: content, signature: signature.toString("base64url") });
  }
}

function base64Url(text: string): string {
  return Buffer.from(text).toString("base64url");
}

function problemOf(status: number, headers: IncomingHttpHeaders, body: string, clock: Clock): AcmeProblem {
  let { type, detail } = { type: "about:blank", detail: `the authority answered ${status}` };
  try {
    ({ type, detail } = problemSchema.parse(JSON.parse(body)));
  } catch {
    // Not in the form of a problem: its status is all there is to say.
  }
  return new AcmeProblem(type.replace(/^urn:ietf:params:acme:error:/, ""), detail, status, retryAfterMs(headers, clock));
}

/** Seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(headers: IncomingHttpHeaders, clock: Clock): number | null {
  const text = headers["retry-after"];
  if (text === undefined) return null;
  const ms = /^\d{1,8}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - clock.nowMs();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
