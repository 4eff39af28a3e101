import { signal } from "@preact/signals";
import type { ApiError } from "../api/client.ts";
import { CopyCli } from "../parts/cli.tsx";
import { ErrorNotice } from "../parts/notice.tsx";

/** Why the link that the page was opened with did not log in. */
export const loginError = signal<ApiError | null>(null);

/** For whoever is not logged in: where the way in is. */
export function LoginPage() {
  return (
    <main class="login">
      <h1>Drover</h1>
      <ErrorNotice error={loginError.value} />
      <p>This browser is not logged in. In a terminal, on this machine or wherever the server’s token is, run</p>
      <CopyCli command="drover ui" isShown />
      <p>
        and open the link that it prints. The link works once, within a minute; the session lasts a week, or until it is not used for twelve
        hours.
      </p>
    </main>
  );
}
