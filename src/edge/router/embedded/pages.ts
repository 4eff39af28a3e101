/** An answer of the edge's own. */
export interface Page {
  readonly status: number;
  /** One sentence, without the full stop. May hold what a client sent: it is escaped where it is shown. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The message is the whole body, for programs. */
  readonly isWhole?: boolean;
}

const titles: Readonly<Record<number, string>> = {
  200: "OK",
  301: "Moved Permanently",
  302: "Found",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  421: "Misdirected Request",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

export interface PageOptions {
  readonly wantsHtml: boolean;
  readonly withBody: boolean;
  readonly connection: "close" | "keep-alive" | "";
  readonly nowMs: number;
}

/** The whole answer, ready to be written. */
export function renderPage(page: Page, { wantsHtml: mayHaveHtml, withBody, connection, nowMs }: PageOptions): string {
  const isWhole = page.isWhole === true;
  const wantsHtml = mayHaveHtml && !isWhole;
  const title = titles[page.status] ?? "Error";
  const body = wantsHtml
    ? htmlPage(page, title)
    : isWhole
      ? printable(page.message)
      : `${page.status} ${title}: ${printable(page.message)}\n`;
  const lines = [
    `HTTP/1.1 ${page.status} ${title}`,
    `date: ${new Date(nowMs).toUTCString()}`,
    `content-type: text/${wantsHtml ? "html" : "plain"}; charset=utf-8`,
    `content-length: ${body.length}`,
    "cache-control: no-store",
    "x-content-type-options: nosniff",
    ...(wantsHtml ? ["content-security-policy: default-src 'none'; style-src 'unsafe-inline'"] : []),
    ...Object.entries(page.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(connection === "" ? [] : [`connection: ${connection}`]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${withBody ? body : ""}`;
}

function htmlPage(page: Page, title: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${page.status} ${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#222}h1{font-size:1.4em}</style>
<h1>${page.status} ${title}</h1><p>${escapeHtml(printable(page.message))}.</p>
`;
}

/** ASCII alone, so that lengths are bytes and no terminal or browser finds anything to act on. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
