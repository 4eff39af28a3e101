/*
 * The rules that make HAProxy read requests as the embedded router does (src/edge/router/embedded/http): one form of host and path, one length, and
 * nothing about the client that the edge has not said itself. Constant text: nothing of the table is in it.
 */

const utf8Escapes =
  "%[0-7][0-9A-F]|%C[2-9A-F]%[89AB][0-9A-F]|%D[0-9A-F]%[89AB][0-9A-F]|%E0%[AB][0-9A-F]%[89AB][0-9A-F]|%E[1-9A-CEF](?:%[89AB][0-9A-F]){2}|" +
  "%ED%[89][0-9A-F]%[89AB][0-9A-F]|%F0%[9AB][0-9A-F](?:%[89AB][0-9A-F]){2}|%F[1-3](?:%[89AB][0-9A-F]){3}|%F4%8[0-9A-F](?:%[89AB][0-9A-F]){2}";
const label = "[A-Za-z0-9_-]{1,63}";
const port = "(?::[0-9]{1,5})?";
const anyHost = `^(?=.{1,260}$)(?:(?:${label}\\.)*${label}\\.?|\\[[0-9A-Fa-f:.]+\\])${port}$`;
const canonicalLabels = `[a-z0-9_-]{1,63}(?:\\.[a-z0-9_-]{1,63})*+${port}`;
const canonicalHost = `^(?=.{1,259}$)${canonicalLabels}$`;
/** What only the edge may say, and what is for one connection. Names with an underscore never come this far. */
const dropped =
  "^(?:(?:x-)?client-cert|x-(?:forwarded-|drover-|ssl-|real-ip$|original-url$|rewrite-url$)|(?:forwarded|proxy|te|trailer|keep-alive|http2-settings|x-request-id|proxy-connection|" +
  "proxy-authorization|proxy-authenticate)$)";
/** Options of `Connection` that are no names of headers, or of headers that are left out anyway. */
const knownOptions =
  "^[ \\t]*(?:(?:close|keep-alive|upgrade|te|trailer|http2-settings|proxy-[a-z]+|forwarded|proxy|x-real-ip|x-forwarded-[a-z]+|x-drover-[a-z]+)?[ \\t]*(?:,[ \\t]*|$))*$";

/** W3C Trace Context, section 3.2. */
const traceparent = "^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\\x21-\\x7e]{0,200})?$";

const refuse = (status: number, reason: string, condition: string) =>
  `http-request return status ${status} content-type 'text/plain; charset=utf-8' string '${status}: ${reason}' hdr connection close hdr cache-control no-store ${condition}`;

/** A path of unreserved and harmless characters without empty or dot segments, and any query. */
const plainTarget = "^/(?:[A-Za-z0-9_~!$&()*+,=:@-][A-Za-z0-9._~!$&()*+,=:@-]*(?:/(?=[^/.]|$)|(?=\\?|$)))*(?:\\?[^#]*)?$";
const odd = "{ var(txn.odd) -m found }";
const ambiguous = "the request target is not valid, or could be read in more than one way";

const knownMethods = "method GET HEAD POST PUT DELETE PATCH OPTIONS";
const oneHost = `req.fhdr(host) -m reg '${canonicalHost}'`;

/** Headers that no rule looks at or changes, beside Host. One that is not here costs a request the long way, no more. */
const ordinaryNames =
  "user-agent|accept(?:-(?:encoding|language|charset))?|cookie|referer|origin|authorization|cache-control|pragma|range|priority|dnt|" +
  "content-(?:type|encoding|language|disposition)|if-(?:none-match|match|modified-since|unmodified-since|range)|" +
  "sec-(?:fetch-[a-z]+|ch-[a-z0-9-]+|gpc)|upgrade-insecure-requests|x-requested-with|access-control-request-(?:method|headers)";
const ordinary = `(?:(?:(?:${ordinaryNames}):[^\\x00-\\x08\\x0a-\\x1f\\x7f]*+|content-length:[ \\t]*+(?:0|[1-9][0-9]{0,14}+)[ \\t]*+)\\r\\n)*+`;
/** As HAProxy writes them down: names in small letters, one space, a line each. One Host in its one form is among them. */
const ordinaryHeaders = `^${ordinary}host: (?=[^\\r]{1,259}\\r)${canonicalLabels}\\r\\n${ordinary}\\r\\n$`;

/** Rules for every connection and every request before any other, however it is written. @param scheme what the client spoke */
export function firstRules(scheme: "http" | "https"): readonly string[] {
  return [
    // Written out once, which costs more than all else of a header; `lower` makes it text. From `defaults` HAProxy 2.6 would not run it.
    "tcp-request session set-var(sess.client) src,lower",
    `http-request set-log-level silent if !{ rand(${sampledOf}) eq 0 } { fe_req_rate gt ${exactPerSecond} }`,
    ...(scheme === "http" ? [] : ["http-request set-var(txn.scheme) str(https)"]),
  ];
}

/**
 * Ends the frontend's rules for requests that none of `requestRules` would refuse or change: forty rules that ask in vain cost more than half of what
 * HAProxy does for a request. Each thing that is asked here is asked once, since every one costs a hundredth of it. @param more what else has to hold
 */
export function shortcut(more = ""): string {
  const target = `url -m reg '^(?!.{8193})${plainTarget.slice(1)}'`;
  return `http-request allow if ${more}{ ${knownMethods} } { ${target} } { req.hdrs -m reg '${ordinaryHeaders}' }`;
}

/** Added to every request behind all rules. */
export const requestIds: readonly string[] = ["unique-id-format %pid-%Ts-%rt", "unique-id-header x-request-id"];

/** For every request on its way to an app, once nothing in it says so any more. */
export const identityRules: readonly string[] = [
  "http-request add-header x-forwarded-for %[var(sess.client)]",
  "http-request add-header x-real-ip %[var(sess.client)]",
  "http-request add-header x-forwarded-proto %[var(txn.scheme,http)]",
  // The first, where HAProxy would look for the last: there is one.
  "http-request add-header x-forwarded-host %[req.fhdr(host,1)]",
];

/** Refuses what could be read in more than one way, and leaves one form of the rest. */
export function requestRules(): readonly string[] {
  return [
    refuse(414, "the request line is too long", "if { url,length gt 8192 }"),
    // HAProxy passes controls in values on, and some apps take NUL for the end.
    refuse(400, "a header value holds a control character", "if { req.hdrs -m reg '[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]' }"),
    // 010 is eight to some and ten to others; more than 15 digits some round.
    refuse(400, "the Content-Length is not valid", "if { req.fhdr(content-length) -m reg '^0.|^.{16}' }"),
    refuse(400, "the Transfer-Encoding is not exactly one chunked", "if { req.fhdr(transfer-encoding) -m reg -i '^(?!chunked$)' }"),
    refuse(400, "HTTP/1.0 has no Transfer-Encoding", "if { req.ver 1.0 } { req.fhdr(transfer-encoding) -m found }"),
    // Most requests are plain; only the others are looked at more closely.
    `http-request set-var(txn.odd) bool(true) unless { ${knownMethods} }`,
    `http-request set-var(txn.odd) bool(true) unless { ${oneHost} }`,
    `http-request set-var(txn.odd) bool(true) unless { url -m reg '${plainTarget}' }`,
    refuse(405, "the method is not allowed here", `if ${odd} { method CONNECT TRACE }`),
    refuse(400, "the method is not valid", `if ${odd} !{ method -m reg '^(?=.{1,32}$)[A-Z]+(?:-[A-Z]+)*$' }`),
    refuse(400, "the Host is missing or not valid", `if ${odd} !{ req.fhdr(host) -m reg '${anyHost}' }`),
    refuse(
      400,
      ambiguous,
      `if ${odd} { url -m reg '[#\\\\\\x00-\\x20\\x7f-\\xff]' } or ${odd} !{ url -m reg -i '^(?:/|http://[^/?#]+/)' }`,
    ),
    // Changes the target's host, too, where it has one; what has an empty one was refused before.
    `http-request set-header host '%[req.fhdr(host),lower,regsub("[.](:|$)","\\\\1")]' if ${odd}`,
    refuse(400, ambiguous, `if ${odd} { path -m reg -i '%(?:2f|5c|[01][0-9a-f]|7f|25(?:2[5ef]|5c|[01][0-9a-f]|7f))|%(?![0-9a-f]{2})' }`),
    // A target in absolute form: HAProxy has compared its host with Host already.
    `http-request set-uri %[pathq] if ${odd} { url -m beg -i http:// }`,
    `http-request normalize-uri path-merge-slashes if ${odd}`,
    `http-request normalize-uri percent-decode-unreserved strict if ${odd}`,
    `http-request normalize-uri percent-to-uppercase strict if ${odd}`,
    refuse(
      400,
      ambiguous,
      `if ${odd} { path -m reg '/\\.{1,2}(?:;[^/]*)?(?:/|$)' } or ${odd} !{ path -m reg '^/(?:[^%]|${utf8Escapes})*$' }`,
    ),
    refuse(400, "the request has more than one Host", "if { req.fhdr_cnt(host) gt 1 }"),
    refuse(
      400,
      "the Connection header names a header that belongs to the message",
      `if { req.fhdr(connection) -m found } !{ req.fhdr(connection) -m reg -i '${knownOptions}' }`,
    ),
    refuse(417, "only 100-continue can be expected", "if { req.fhdr(expect) -m found } !{ req.fhdr(expect) -i 100-continue }"),
    // HTTP/2 and TLS would take the connection out of sight.
    "http-request del-header upgrade if { req.fhdr(upgrade) -m reg -i '^(?:h2c?|tls|http)(?:/|,|$)' }",
    refuse(400, "the request asks for more than one upgrade", "if { req.fhdr(upgrade) -m found } { req.fhdr_cnt(upgrade) gt 1 }"),
    refuse(
      426,
      "only WebSocket version 13 is spoken here",
      "hdr sec-websocket-version 13 hdr upgrade websocket if { req.fhdr(upgrade) -i websocket } !{ req.fhdr(sec-websocket-version) 13 }",
    ),
    // The rest of Connection was for this connection alone, and could take the edge's own headers away from the app.
    "http-request set-header connection upgrade if { req.fhdr(connection) -m found } { req.fhdr(upgrade) -m found }",
    "http-request del-header connection if { req.fhdr(connection) -m found } !{ req.fhdr(upgrade) -m found }",
    `http-request del-header '${dropped}' -m reg`,
    // HAProxy passes trailers on without a look at them. If the app reads their end elsewhere, nobody's request may come behind it.
    "http-request set-header connection close if { req.fhdr(transfer-encoding) -m found } !{ req.fhdr(upgrade) -m found }",
    `http-request del-header traceparent if { req.fhdr(traceparent) -m found } !{ req.fhdr(traceparent) -m reg '${traceparent}' } or { req.fhdr_cnt(traceparent) gt 1 }`,
  ];
}

/** Up to so many requests a second all are told of for the histogram of latencies, beyond that one in `sampledOf`: a line a request costs too much. */
export const exactPerSecond = 200;
export const sampledOf = 64;
