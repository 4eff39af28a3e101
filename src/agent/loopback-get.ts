import http from "node:http";

/** One GET of an instance of this machine. A redirect is not followed. @returns no text where it is longer than `longestBytes`, nothing of an answer but 200 */
export function loopbackGet(
  port: number,
  path: string,
  { accept, agent, longestBytes }: { readonly accept: string; readonly agent: string; readonly longestBytes: number },
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string | null }> {
  return new Promise((resolve, reject) => {
    const headers = { accept, "user-agent": agent, connection: "close" };
    const request = http.get({ host: "127.0.0.1", port, path, headers, agent: false, signal }, (response) => {
      const status = response.statusCode ?? 0;
      const chunks: Buffer[] = [];
      let bytes = 0;
      const finish = (text: string | null) => {
        resolve({ status, text });
        request.destroy();
      };
      if (status !== 200) return finish("");
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > longestBytes) finish(null);
      });
      response.once("end", () => finish(Buffer.concat(chunks).toString("utf8")));
      response.once("error", reject);
    });
    request.once("error", reject);
  });
}
