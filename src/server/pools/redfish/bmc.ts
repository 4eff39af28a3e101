import https from "node:https";
import { isIP } from "node:net";
import tls from "node:tls";
import { onUpgrade } from "#host/on-upgrade.ts";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { isRecord, isText, parseJson } from "#model/shape.ts";
import { untilAborted } from "#model/until-aborted.ts";

/** A machine's management controller, which has its power in hand (DMTF DSP0266, Redfish 1.0 and younger). */
export interface Bmc {
  power(signal: AbortSignal): Promise<"on" | "off" | "changing">;
  /** Asks for the change and does not wait for it. @param how `forced`: without asking the system that runs there */
  reset(to: "on" | "off", how: "gently" | "forced", signal: AbortSignal): Promise<void>;
}

export interface BmcOptions {
  /** `https://HOST[:PORT]`, with the path of its system where it has several. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** PEM of the authority that its certificate comes from; null: the certificate is pinned when it is first seen. */
  readonly ca: string | null;
  readonly pins: CertificatePins;
  readonly resolve: ResolveOutgoing;
  readonly clock: Clock;
}

/** Which certificates were shown first, by `HOST:PORT`: SHA-256, as Node writes it. */
export interface CertificatePins {
  of(place: string): string | null;
  /** Pins it if nothing is pinned there. */
  pin(place: string, fingerprint: string): Promise<void>;
}

/** Controllers are slow computers: one that is busy answers in five seconds. */
const answerMs = 15_000;
/** A system as it describes itself has a few kilobytes. */
const longestAnswer = 2 ** 20;
/** What only looks is asked again so often after no answer or a "try later"; what acts is asked once. */
const mostTries = 3;
const againMs = 1_000;

const states: Readonly<Record<string, "on" | "off" | "changing">> = {
  On: "on",
  Off: "off",
  PoweringOn: "changing",
  PoweringOff: "changing",
  Paused: "on",
};

/** @throws {DroverError} by each call: PROVIDER_FAILED, PROVIDER_TIMED_OUT, PROVIDER_ANSWER_INVALID, ADDRESS_REFUSED; never with a word of its password */
export function openBmc(options: BmcOptions): Bmc {
  const { clock } = options;
  const url = new URL(options.url);
  const get = async (path: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> => {
    for (let tries = 1; ; tries++) {
      const isLast = tries === mostTries;
      try {
        const answer = await request(options, url, "GET", path, null, signal);
        if (isLast || (answer.status < 500 && answer.status !== 429)) return read(path, url, answer);
      } catch (error) {
        // Not after a refused password, which may lock the user out, nor after another certificate.
        if (isLast || !isUnanswered(error)) throw error;
      }
      await pause(clock, againMs * tries, signal);
      signal.throwIfAborted();
    }
  };
  const system = async (signal: AbortSignal) => {
    if (url.pathname !== "/" && url.pathname !== "") return get(url.pathname, signal);
    const { Members } = await get("/redfish/v1/Systems", signal);
    const paths = (Array.isArray(Members) ? Members : []).flatMap((one: unknown) =>
      isRecord(one) && isText(one["@odata.id"]) ? one["@odata.id"] : [],
    );
    const [path] = paths;
    if (path !== undefined && paths.length === 1) return get(path, signal);
    throw invalid(url, paths.length === 0 ? "has no system" : `has ${paths.length} systems: ${paths.slice(0, 5).join(", ")}`);
  };
  return {
    power: async (signal) => {
      const { PowerState: state } = await system(signal);
      const known = isText(state) ? states[state] : undefined;
      if (known === undefined) throw invalid(url, `says of its power ${JSON.stringify(state)}`);
      return known;
    },
    reset: async (to, how, signal) => {
      const { Actions: actions } = await system(signal);
      const action = isRecord(actions) ? actions["#ComputerSystem.Reset"] : undefined;
      const target = isRecord(action) ? action["target"] : undefined;
      if (!isRecord(action) || !isText(target)) throw invalid(url, "has no action to switch its system");
      const allowed = action["ResetType@Redfish.AllowableValues"];
      const wished = to === "on" ? ["On", "ForceOn"] : how === "forced" ? ["ForceOff"] : ["GracefulShutdown", "ForceOff"];
      const type = wished.find((one) => !Array.isArray(allowed) || allowed.includes(one));
      if (type === undefined) throw invalid(url, `can do none of ${wished.join(", ")}`);
      const { status, text } = await request(options, url, "POST", target, { ResetType: type }, signal);
      // A conflict: it is as it should be already, or on the way there, which the state shows.
      if (status < 300 || status === 409) return;
      throw failed(url, status, text);
    },
  };
}

function isUnanswered(error: unknown): boolean {
  return (
    error instanceof DroverError && (error.code === "PROVIDER_TIMED_OUT" || (error.code === "PROVIDER_FAILED" && error.cause !== undefined))
  );
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function read(path: string, url: URL, { status, text }: Answer): Readonly<Record<string, unknown>> {
  if (status >= 300) throw failed(url, status, text);
  const value = parseJson(text);
  if (isRecord(value)) return value;
  throw invalid(url, `answers ${path} with no JSON object`);
}

/** One request over one connection, whose certificate is known before a word goes over it. */
async function request(
  options: BmcOptions,
  url: URL,
  method: "GET" | "POST",
  path: string,
  body: Readonly<Record<string, unknown>> | null,
  signal: AbortSignal,
): Promise<Answer> {
  const limit = AbortSignal.timeout(answerMs);
  const until = AbortSignal.any([signal, limit]);
  let socket: tls.TLSSocket | null = null;
  try {
    socket = await connect(options, url, until);
    return await exchange(socket, options, url, method, path, body, until);
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted)
      throw new DroverError("PROVIDER_TIMED_OUT", `${url.host} did not answer within ${answerMs / 1_000} s`, {
        hint: "Is its management controller on?",
      });
    if (error instanceof DroverError) throw error;
    if (options.ca !== null && isUntrusted(error))
      throw new DroverError(
        "PROVIDER_FAILED",
        `${url.host} shows a certificate that the pool's \`ca\` does not stand for (${error.code})`,
        {
          hint: "Give the authority of its certificate as `ca`; or leave `ca` out, and the certificate is pinned when it is next seen.",
        },
      );
    throw new DroverError("PROVIDER_FAILED", `${url.host} cannot be asked`, {
      hint: "Is that the address of its management controller?",
      cause: error,
    });
  } finally {
    socket?.destroy();
  }
}

/** What TLS says of a certificate that it does not take, which a port that nobody listens at does not. */
function isUntrusted(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && /CERT|ISSUER|SIGNATURE/.test(String(error.code));
}

async function connect({ ca, pins, resolve }: BmcOptions, url: URL, signal: AbortSignal): Promise<tls.TLSSocket> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const { address } = await untilAborted(resolve(url.hostname), signal);
  const socket = tls.connect({
    host: address,
    port: url.port === "" ? 443 : Number(url.port),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // Without an authority the certificate is compared with the one that is pinned, below.
    ...(ca === null
      ? { rejectUnauthorized: false }
      : { ca, checkServerIdentity: (_, certificate) => tls.checkServerIdentity(host, certificate) }),
  });
  const abort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("ended"));
  signal.addEventListener("abort", abort, { once: true });
  try {
    await new Promise<void>((done, fail) => {
      socket.once("secureConnect", done);
      socket.once("error", fail);
      socket.once("close", () => fail(new Error("the connection was closed")));
    });
    if (ca === null) await comparePin(pins, url, socket.getPeerCertificate().fingerprint256);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function comparePin(pins: CertificatePins, url: URL, shown: string): Promise<void> {
  const pinned = pins.of(url.host);
  if (pinned === null) return pins.pin(url.host, shown);
  if (pinned === shown) return;
  throw new DroverError("PROVIDER_FAILED", `${url.host} shows another certificate than the one that is pinned: ${shown}`, {
    hint: "If it was renewed, give its authority with `ca`, or take the pool away and apply it again, which forgets the pins. If not, somebody may be in between.",
  });
}

function exchange(
  socket: tls.TLSSocket,
  { user, password }: BmcOptions,
  url: URL,
  method: "GET" | "POST",
  path: string,
  body: Readonly<Record<string, unknown>> | null,
  signal: AbortSignal,
): Promise<Answer> {
  const sent = body === null ? null : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const call = https.request(
      {
        createConnection: () => socket,
        method,
        path,
        signal,
        headers: {
          host: url.host,
          accept: "application/json",
          "odata-version": "4.0",
          authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
          ...(sent === null ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
        },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
          if (text.length > longestAnswer) response.destroy(invalid(url, `answers with more than ${longestAnswer / 2 ** 20} MiB`));
        });
        response.once("error", reject);
        response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    onUpgrade(call, (answer) => resolve({ status: answer.statusCode ?? 0, text: "" }));
    call.once("error", reject);
    call.end(sent ?? undefined);
  });
}

/** What it says went wrong (DSP0266, 8.6), in one line. */
function failed(url: URL, status: number, text: string): DroverError {
  if (status === 401 || status === 403)
    return new DroverError("PROVIDER_FAILED", `${url.host} does not take the user and password`, {
      hint: "Look at the secrets that the pool names.",
    });
  const error = parseJson(text);
  const inner = isRecord(error) && isRecord(error["error"]) ? error["error"]["message"] : undefined;
  const words = isText(inner) ? `: ${inner.replace(/\s+/g, " ").slice(0, 200)}` : "";
  return new DroverError("PROVIDER_FAILED", `${url.host} answers ${status}${words}`, { hint: "Look at it by its own page or log." });
}

function invalid(url: URL, what: string): DroverError {
  return new DroverError("PROVIDER_ANSWER_INVALID", `${url.host} ${what}`, {
    hint: "Name its system, as https://HOST/redfish/v1/Systems/1.",
  });
}
