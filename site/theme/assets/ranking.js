// Matches entries against words, and ranks them.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { folded } = ishtar.filter;

  /** The words of a query, without case and accents. @param {string} query @returns {string[]} */
  const wordsOf = (query) => folded(query).split(/\s+/).filter(Boolean);

  /**
   * How well an entry matches: all words must be in it. The whole title counts most, then its beginning, the
   * beginning of a word, any part of the title, and the text least.
   * @param {SearchEntry} entry @param {string[]} words @returns {number} 0 if it does not match
   */
  const score = (entry, words) => {
    entry.looks ??= { title: folded(entry.title), text: folded(entry.text) };
    const { title, text } = entry.looks;
    let total = 0;
    for (const word of words) {
      const at = title.indexOf(word);
      if (at >= 0) {
        const begins = at === 0 || !/[\p{L}\p{N}]/u.test(title[at - 1]);
        total += title === word ? 100 : at === 0 ? 40 : begins ? 30 : 15;
      } else if (text.includes(word)) total += 5;
      else return 0;
    }
    return title === words.join(" ") ? total + 100 : total;
  };

  /** @param {Iterable<SearchEntry>} entries @param {string[]} words @returns {SearchHit[]} the best first, newer shots before older */
  const find = (entries, words) => {
    /** @type {SearchHit[]} */
    const hits = [];
    for (const entry of entries) {
      const points = score(entry, words);
      if (points) hits.push({ entry, score: points });
    }
    return hits.sort((a, b) => b.score - a.score || (b.entry.shot ?? 0) - (a.entry.shot ?? 0));
  };

  /**
   * Cut a text at the words that were found.
   * @param {string} text @param {string[]} words @returns {{text: string, found: boolean}[]}
   */
  const cut = (text, words) => {
    // folding must preserve positions: letters that fold to several become blanks
    const low = [...text].map((c) => { const f = folded(c); return f.length === c.length ? f : " ".repeat(c.length); }).join("");
    const marked = new Array(text.length).fill(false);
    for (const word of words) {
      for (let at = low.indexOf(word); at >= 0; at = low.indexOf(word, at + word.length)) marked.fill(true, at, at + word.length);
    }
    /** @type {{text: string, found: boolean}[]} */
    const parts = [];
    for (let i = 0; i < text.length; i++) {
      const last = parts[parts.length - 1];
      if (last && last.found === marked[i]) last.text += text[i];
      else parts.push({ text: text[i], found: marked[i] });
    }
    return parts;
  };

  ishtar.ranking = { cut, find, wordsOf };
})();
