import { render } from "preact";
import { ApiError, logIn } from "./api/client.ts";
import { App } from "./app.tsx";
import { loginError } from "./pages/login.tsx";

/** The ticket of a link of `drover ui`; it leaves the address before anything else happens. */
function takeTicket(): string | null {
  const ticket = /^#ticket=([0-9a-f]{64})$/.exec(location.hash)?.[1] ?? null;
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
  return ticket;
}

async function start(): Promise<void> {
  const ticket = takeTicket();
  if (ticket !== null) {
    try {
      await logIn(ticket);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A session that is open already does as well.
      loginError.value = error;
    }
  }
  // A link that is pasted over the address of an open page changes what is behind the # alone, and that loads nothing.
  addEventListener("hashchange", () => location.hash.startsWith("#ticket=") && location.reload());
  render(<App />, document.body);
}

await start();
