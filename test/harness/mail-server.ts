import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { keyPem, makeCertificate, newKey } from "#host/x509/make-certificate.ts";

/** An e-mail as the server took it. */
export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly user: string | null;
  readonly isEncrypted: boolean;
  /** Headers and body as they came, lines unfolded and soft breaks undone. */
  readonly text: string;
}

/** An SMTP server of somebody else's making on a port of its own, with an authority that nobody else knows. */
export class TestMailServer implements AsyncDisposable {
  readonly taken: TakenMail[] = [];
  /** Commands that came, in order, without what came with them. */
  readonly heard: string[] = [];
  readonly port: number;
  readonly ca: string;
  readonly #server: SMTPServer;

  private constructor(server: SMTPServer, ca: string) {
    this.#server = server;
    this.port = (server.server.address() as AddressInfo).port;
    this.ca = ca;
  }

  /** One user, `drover`, whose password is `correct horse`. @param hosts that its certificate is for */
  static async start(options: SMTPServerOptions = {}, hosts: readonly string[] = ["127.0.0.1"]): Promise<TestMailServer> {
    const [rootKey, key] = [await newKey(), await newKey()];
    const nowMs = Date.now();
    const life = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 3_600_000 };
    const ca = makeCertificate({ name: "Mail", key: rootKey, ...life, use: { kind: "authority" } });
    const issuer = { name: "Mail", key: rootKey };
    const cert = makeCertificate({ name: "mail", key, issuer, ...life, use: { kind: "server", hosts } });
    let own: TestMailServer | null = null;
    const server = new SMTPServer({
      key: keyPem(key),
      cert,
      authOptional: true,
      logger: false,
      onAuth: ({ username, password }, _session, done) => {
        own?.heard.push("AUTH");
        if (username === "drover" && password === "correct horse") done(null, { user: username });
        else done(new Error("that is not it"));
      },
      onMailFrom: (_address, _session, done) => {
        own?.heard.push("MAIL");
        done();
      },
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("end", () => {
          const { mailFrom, rcptTo } = session.envelope;
          own?.taken.push({
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            user: typeof session.user === "string" ? session.user : null,
            isEncrypted: session.secure === true,
            text: plain(Buffer.concat(chunks).toString("utf8")),
          });
          done();
        });
      },
      ...options,
    });
    // A client that gives up is what some tests are about.
    server.on("error", () => {});
    server.listen(0, "127.0.0.1");
    await once(server.server, "listening");
    own = new TestMailServer(server, ca);
    return own;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(resolve));
  }
}

function plain(text: string): string {
  return text
    .replaceAll(/=\r\n/g, "")
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll(/\r\n[ \t]/g, " ")
    .replaceAll("\r\n", "\n");
}
