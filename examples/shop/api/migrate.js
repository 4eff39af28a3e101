// Puts the products on the shelf. Runs before every release, so doing it twice changes nothing.
import { put } from "./store.js";

const products = [
  { id: "kettle", name: "Kettle", cents: 3400, text: "Boils a litre in two minutes, then says so." },
  { id: "lamp", name: "Lamp", cents: 5900, text: "Warm light, one switch, no app." },
  { id: "mug", name: "Mug", cents: 1200, text: "Holds coffee. Survives the dishwasher." },
  { id: "plant", name: "Plant", cents: 1800, text: "Forgives holidays of up to three weeks." },
  { id: "radio", name: "Radio", cents: 7900, text: "Two knobs and all the stations." },
  { id: "stool", name: "Stool", cents: 4500, text: "Three legs, so it never wobbles." },
];

for (const product of products) await put(`products/${product.id}`, product);
console.log(`${products.length} products on the shelf`);
