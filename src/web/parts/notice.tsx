import type { ApiError } from "../api/client.ts";
import { Sentence } from "./sentence.tsx";

/** What went wrong and what to do, as the API says it. */
export function ErrorNotice({ error }: { readonly error: ApiError | null }) {
  if (error === null) return null;
  return (
    <div class="notice bad" role="alert">
      <p>
        {error.message} <code>{error.code}</code>
      </p>
      {error.hint !== "" && (
        <p>
          <Sentence text={error.hint} />
        </p>
      )}
    </div>
  );
}

/** What only loading the page anew mends. */
export function ReloadNotice({ text, hint }: { readonly text: string; readonly hint: string }) {
  return (
    <div class="notice bad" role="alert">
      <p>{text}</p>
      <p>
        {hint}{" "}
        <button type="button" onClick={() => location.reload()}>
          Load anew
        </button>
      </p>
    </div>
  );
}

/** In place of a list that has nothing in it. */
export function Nothing({ children }: { readonly children: preact.ComponentChildren }) {
  return <p class="nothing">{children}</p>;
}

/** In place of what is on its way; seen only when that takes long enough to wonder. */
export function Loading() {
  return <p class="loading nothing">loading</p>;
}
