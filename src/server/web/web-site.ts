import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { errorFields } from "#host/log.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type Bundle, openBundle } from "./bundle.ts";

export interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** The files of the web UI. They hold nothing of anybody: what they show comes from the API, which asks who is there. */
export interface WebSite {
  /** The page at a path, or a file that it loads; null if there is no such file. Every path that is no file's is a view of the one page. */
  answer(path: string, headers: IncomingHttpHeaders): Promise<Page | null>;
  /** Begins to bundle the pages, for somebody who is about to open them. */
  prepare(): void;
}

/** What every answer says: nobody frames it, guesses at its type, or hears where a link came from. */
const always = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

/** @param folder where the bundled files are kept. */
export function createWebSite(folder: string, log: Log, signal: AbortSignal): WebSite {
  let opened: Promise<Bundle> | null = null;
  const bundle = () => {
    opened ??= openBundle(folder, signal).catch((error: unknown) => {
      // Whoever asks next tries again.
      opened = null;
      log.error("the web UI cannot be shown", errorFields(error));
      throw error;
    });
    return opened;
  };
  return {
    prepare: () => {
      // Whoever opens the page is told what is wrong; the log has it already.
      bundle().catch(() => {});
    },
    answer: async (path, headers) => {
      try {
        const found = await bundle();
        return path.startsWith("/assets/") ? await file(found, path.slice("/assets/".length), headers) : page(found);
      } catch (error) {
        if (!(error instanceof DroverError)) throw error;
        const body = `error: ${error.message}   [${error.code}]\nhint:  ${error.hint}\n`;
        return { status: 503, headers: { ...always, "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" }, body };
      }
    },
  };
}

async function file({ files, folder }: Bundle, name: string, headers: IncomingHttpHeaders): Promise<Page | null> {
  // Only what the bundle lists is ever opened.
  const known = Object.hasOwn(files, name) ? files[name] : undefined;
  if (known === undefined) return null;
  const isZipped = /\bgzip\b/.test(String(headers["accept-encoding"] ?? ""));
  return {
    status: 200,
    headers: {
      ...always,
      "content-type": known.type,
      // The name changes with the content.
      "cache-control": "public, max-age=31536000, immutable",
      vary: "accept-encoding",
      ...(isZipped ? { "content-encoding": "gzip" } : {}),
    },
    body: await readFile(join(folder, isZipped ? `${name}.gz` : name)),
  };
}

function page({ script, style, icon }: Bundle): Page {
  // For the style sheets that the editor and the terminal make themselves; scripts have none.
  const nonce = randomBytes(16).toString("base64url");
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    // The editor's marks are pictures in its style sheet; such a picture runs nothing.
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    status: 200,
    headers: {
      ...always,
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": policy.join("; "),
      "cross-origin-opener-policy": "same-origin",
      "x-frame-options": "DENY",
    },
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Drover</title>
<link rel="icon" href="/assets/${icon}">
<link id="style" rel="stylesheet" href="/assets/${style}" nonce="${nonce}">
<script type="module" src="/assets/${script}"></script>
</head>
<body>
<noscript>The web UI needs JavaScript. Everything it shows is also to be had from the <code>drover</code> command.</noscript>
</body>
</html>
`,
  };
}
