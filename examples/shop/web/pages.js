// The shop's pages as HTML. Every value goes through `html`, which escapes it.

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
class Html extends String {}

/** A template whose values are escaped, unless they are made by it. */
function html(strings, ...values) {
  const show = (value) =>
    value instanceof Html
      ? value
      : Array.isArray(value)
        ? value.map(show).join("")
        : String(value ?? "").replace(/[&<>"']/g, (c) => escapes[c]);
  return new Html(strings.map((text, i) => text + (i < values.length ? show(values[i]) : "")).join(""));
}

const price = (cents) => `€ ${(cents / 100).toFixed(2)}`;

export function page({ title, shop, cartCount, servedBy, dataBy, body }) {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} – ${shop}</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
<header><a class="brand" href="/">${shop}</a><a class="cart" href="/cart">Cart${cartCount > 0 ? html` <b>${cartCount}</b>` : ""}</a></header>
<main>${body}</main>
<footer>This page was made by <code>${servedBy}</code>${dataBy ? html`, its data came from <code>${dataBy}</code>` : ""}.</footer>
</html>`;
}

export function shelf({ products, pictures }) {
  const card = ({ id, name, cents, text }) => html`<li>
<img src="${pictures}/pictures/${id}.svg" alt="" width="320" height="200">
<h2>${name}</h2><p>${text}</p>
<form method="post" action="/cart"><strong>${price(cents)}</strong><button name="add" value="${id}">Add to cart</button></form>
</li>`;
  return html`<ul class="shelf">${products.map(card)}</ul>`;
}

export function cartPage({ lines }) {
  if (lines.length === 0) return html`<h1>Your cart is empty</h1><p><a href="/">Back to the shelf</a></p>`;
  const row = ({ id, name, count, cents }) => html`<tr><td>${name}</td>
<td class="count"><form method="post" action="/cart"><button name="remove" value="${id}" aria-label="one ${name} less">−</button>
<span>${count}</span><button name="add" value="${id}" aria-label="one ${name} more">+</button></form></td>
<td class="price">${price(cents * count)}</td></tr>`;
  return html`<h1>Your cart</h1><table>${lines.map(row)}
<tr class="sum"><td>Together</td><td></td><td class="price">${price(lines.reduce((sum, line) => sum + line.cents * line.count, 0))}</td></tr></table>
<form method="post" action="/orders"><button class="main">Order</button></form>`;
}

const steps = { received: "Received", packing: "Being packed", sent: "On its way" };

export function orderPage({ id, lines, cents, status, history }) {
  const reached = Object.keys(steps).indexOf(status);
  const step = ([name, words], i) => {
    const entry = history.find((one) => one.status === name);
    return html`<li class="${i <= reached ? "done" : "open"}"><b>${words}</b>${entry ? html`<small>${entry.at.slice(11, 19)} UTC, ${entry.note || "by the shop"}, written by <code>${entry.by}</code></small>` : ""}</li>`;
  };
  return html`<h1>Order ${id}</h1>
<ol class="steps" data-done="${status === "sent"}">${Object.entries(steps).map(step)}</ol>
<table>${lines.map((line) => html`<tr><td>${line.count} × ${line.name}</td><td class="price">${price(line.cents)}</td></tr>`)}
<tr class="sum"><td>Together</td><td class="price">${price(cents)}</td></tr></table>
<p><a href="/">Back to the shelf</a></p>
<noscript><meta http-equiv="refresh" content="2"></noscript>
<script src="/order.js"></script>`;
}

export function problem({ heading, text }) {
  return html`<h1>${heading}</h1><p>${text}</p><p><a href="/">Back to the shelf</a></p>`;
}
