import { isIP } from "node:net";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { Clock } from "#model/clock.ts";
import type { MailServer } from "#model/ladder.ts";
import { attemptWithin } from "./attempt.ts";

/** Servers that keep spammers away let everybody wait for some seconds before they greet (Postfix's postscreen: 6 s), and look names up meanwhile. */
const deadlineMs = 30_000;
/** Longer ones are cut off in lists of mails anyway; RFC 5322 has 998 as the end of a line. */
const longestSubject = 150;

export interface Mail {
  /** The same at every try, so that a server or a person can tell a repetition. */
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/**
 * Sends one e-mail, once, as plain text, to the address that the server's name had when it was judged.
 * @returns null when the server took it, else why not, in words
 */
export function sendMail(
  {
    via,
    mail,
    password,
    resolve,
    clock,
  }: {
    readonly via: MailServer;
    readonly mail: Mail;
    /** Null: none is needed, or the space has it no more, which is told. */
    readonly password: string | null;
    readonly resolve: ResolveOutgoing;
    readonly clock: Clock;
  },
  parent: AbortSignal,
): Promise<string | null> {
  const { login } = via;
  if (login !== null && password === null)
    return Promise.resolve(`the space has no secret "${login.secret}", the password of "${login.user}"`);
  const auth = login === null || password === null ? undefined : { user: login.user, pass: password };
  return attemptWithin(deadlineMs, (signal) => send(via, mail, auth, resolve, signal), clock, parent);
}

async function send(
  { host, port, tls, ca, from }: MailServer,
  { id, to, subject, text }: Mail,
  auth: { readonly user: string; readonly pass: string } | undefined,
  resolve: ResolveOutgoing,
  signal: AbortSignal,
): Promise<string | null> {
  const { address } = await resolve(host);
  signal.throwIfAborted();
  // Loaded by the first e-mail: who tells people in other ways does not pay for it.
  const { createTransport } = await import("nodemailer");
  const transport = createTransport({
    host: address,
    port,
    secure: tls === "implicit",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "off",
    tls: { minVersion: "TLSv1.2", ...(ca === null ? {} : { ca }), ...(isIP(host) === 0 ? { servername: host } : {}) },
    ...(auth === undefined ? {} : { auth }),
    connectionTimeout: deadlineMs,
    greetingTimeout: deadlineMs,
    socketTimeout: deadlineMs,
    // Nothing in a message is ever taken from a file or an address.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from,
      to,
      subject: oneLine(subject),
      text,
      messageId: `<${id}@${from.slice(from.lastIndexOf("@") + 1)}>`,
      // RFC 3834: nobody's holiday answers it.
      headers: { "Auto-Submitted": "auto-generated" },
      signal,
    });
    return null;
  } finally {
    transport.close();
  }
}

function oneLine(text: string): string {
  const line = text.replaceAll(/[\s\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
  return line.length <= longestSubject ? line : `${line.slice(0, longestSubject - 1)}…`;
}
