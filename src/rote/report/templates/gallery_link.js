"use strict";
// What is looked at, kept in the page's address after the #: a link to it leads others to the same.
const roteLink = (() => {
  const isState = (hash) => hash.includes("=");

  // Texts by name; empty where the address is that of a section.
  function read() {
    const hash = location.hash.slice(1);
    return isState(hash) ? Object.fromEntries(new URLSearchParams(hash)) : null;
  }

  // What `values` then returns, without empty texts; a link to a section stays until something is kept.
  // Once in a while only: browsers refuse an address that changes with every step of a slider.
  let waiting = 0;
  function write(values) {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const kept = Object.entries(values()).filter(([, value]) => value !== "");
      const hash = new URLSearchParams(kept).toString();
      if (hash || isState(location.hash)) {
        history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
      }
    }, 350);
  }

  return { read, write };
})();
