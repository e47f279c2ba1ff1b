// Elements of the page. Texts are set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export const find = (selector, within = document) => within.querySelector(selector);
export const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];

// A new element in `parent`, with a class and a text.
export function add(parent, tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return parent.appendChild(node);
}

// A new SVG element in `parent`.
export function addShape(parent, tag, attributes = {}) {
  const node = document.createElementNS(SVG, tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  return parent.appendChild(node);
}

// Sets a text only if it is another one, so that the browser has nothing to lay out where nothing changed.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Text that may be cut off on the screen: the whole of it is its title.
export function setLabel(node, text) {
  setText(node, text);
  if (node.title !== text) node.title = text;
}

export function setClass(node, className) {
  if (node.className !== className) node.className = className;
}

// The first `count` shapes of a group, made when they are missing; those beyond are hidden.
export function shapes(group, tag, count) {
  while (group.childNodes.length < count) addShape(group, tag);
  [...group.childNodes].forEach((node, i) => node.toggleAttribute("hidden", i >= count));
  return group.childNodes;
}

// Gives a list exactly `count` rows, each of the same parts. The part "name" has two texts, a title and what is said of it.
export function rowsOf(list, count, parts) {
  while (list.childElementCount < count) {
    const row = add(list, "li");
    for (const part of parts) add(row, part === "name" ? "div" : "span", part);
    const name = find(".name", row);
    add(name, "a", "title");
    add(name, "span");
  }
  while (list.childElementCount > count) list.lastChild.remove();
}
