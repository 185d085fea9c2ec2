// Packs of traces: which bytes of which file, loading them, and keeping what was decoded.
//
// A web server sends parts of files. A page opened from disk may not ask for any, and some servers
// send whole files only: `coarse.js` of a shot then has its first levels.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const KEPT = 480; // blocks in memory, of at most 16 kB each
  const WHOLE = 4e6; // bytes of a file that is taken whole, if the server sends no parts
  const root = document.documentElement.dataset.root || "./";

  /** @param {number} shot @returns {string} */
  const folder = (shot) => `shots/${String(shot).padStart(5, "0")}`;
  /** @param {string} path @returns {string} */
  const address = (path) => root + path.split("/").map(encodeURIComponent).join("/");

  // Recently used blocks, oldest first.
  /** @type {Map<string, Promise<TraceBlock> | TraceBlock>} */
  const kept = new Map();
  /** @param {string} key @returns {TraceBlock | null} */
  const used = (key) => {
    const block = kept.get(key);
    if (!block || block instanceof Promise) return null;
    kept.delete(key);
    kept.set(key, block);
    return block;
  };
  /** @param {string} key @param {Promise<TraceBlock>} loading */
  const keep = async (key, loading) => {
    kept.set(key, loading);
    try {
      kept.set(key, await loading);
    } catch (error) {
      kept.delete(key); // a later try may succeed
      throw error;
    }
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT) break;
      if (!oldest.endsWith(" 0-0")) kept.delete(oldest); // the whole record is always available as a fallback
    }
  };

  // files -----------------------------------------------------------------------------------------

  /** Whole files of servers that send no parts. @type {Map<string, Promise<Uint8Array>>} */
  const whole = new Map();

  /** The body of an answer. @param {string} path @param {Response} answer @param {number} length that it should have
   * @param {string} otherwise what is wrong if it is as a whole of another length @returns {Promise<Uint8Array>} */
  const bodyOf = async (path, answer, length, otherwise) => {
    /** @type {Uint8Array} */
    let content;
    try {
      content = new Uint8Array(await answer.arrayBuffer());
    } catch {
      throw new Error(`${path} was cut off: try again, or reload the page.`);
    }
    if (content.length !== length) throw new Error(`${path} ${otherwise}`);
    return content;
  };

  /** Whether an answer is of other bytes than those asked for. @param {Response} answer @param {number} from @param {number} to @param {number} size */
  const isElsewhere = (answer, from, to, size) => {
    const said = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.headers.get("Content-Range") || "");
    return said && (Number(said[1]) !== from || Number(said[2]) !== to - 1 || (said[3] !== "*" && Number(said[3]) !== size));
  };

  /** Bytes of a file. @param {string} path @param {number} from @param {number} to @param {number} size of the file
   * @returns {Promise<Uint8Array | null>} null if the server sends whole files only, and this one is large */
  const bytes = async (path, from, to, size) => {
    const there = whole.get(path);
    if (there) return (await there).subarray(from, to);
    /** @type {Response} */
    let answer;
    try {
      answer = await fetch(address(path), { headers: { Range: `bytes=${from}-${to - 1}` } });
    } catch {
      throw new Error(`${path} does not load: is there a connection?`);
    }
    if (answer.status === 404) throw new Error(`${path} is gone: reload the page.`);
    if (answer.status === 200) {
      if (size > WHOLE) {
        answer.body?.cancel().catch(() => {});
        return null;
      }
      const all = bodyOf(path, answer, size, "is not what was published: reload the page.");
      whole.set(path, all);
      all.catch(() => whole.delete(path)); // a later try may succeed
      return (await all).subarray(from, to);
    }
    if (answer.status === 416) throw new Error(`${path} is not what was published: reload the page.`);
    if (answer.status !== 206) throw new Error(`${path} does not load: the server answers ${answer.status}.`);
    const content = await bodyOf(path, answer, to - from, "was cut off: try again, or reload the page.");
    if (isElsewhere(answer, from, to, size)) throw new Error(`${path} is not what was published: reload the page.`);
    return content;
  };

  /** @param {string} text base64 @returns {Uint8Array} */
  const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  // packs -------------------------------------------------------------------------------------------

  ishtar.packs = {
    folder,

    open(index, signal) {
      const path = `${folder(index.shot)}/traces/${signal.pack}`;
      const { levels, at, head: headBytes } = signal;
      const key = `${path} ${at}`;
      /** @type {TraceHead | null} */
      let head = null;
      /** @type {Promise<void> | null} */
      let opening = null;
      /** Why there are only the first levels, of which these are the blocks.
       * @type {{why: "disk" | "ranges", levels: string[][]} | null} */
      let coarse = null;
      /** @type {number[][]} where the blocks of each level begin, and where the last ends */
      let edges = [];

      /** @param {number} level @param {number} k @param {TraceHead["value"]} value */
      const shape = (level, k, value) => ({
        n: Math.min(signal.block, levels[level].bins - k * signal.block),
        single: levels[level].stride === 1,
        irregular: signal.irregular,
        value,
      });

      /** @param {"disk" | "ranges"} why */
      const openCoarse = async (why) => {
        const data = await ishtar.load(`${folder(index.shot)}/traces/coarse`);
        /** @type {string[][]} */
        const found = data.signals[signal.name];
        if (!found) throw new Error("its first levels are missing: reload the page.");
        // where the blocks of irregular samples begin is in the head, which is not there
        coarse = { why, levels: signal.irregular ? found.filter((blocks) => blocks.length === 1) : found };
      };

      /** Load the head, and level 0 with it. */
      const open = async () => {
        if (location.protocol === "file:") return openCoarse("disk");
        const length = headBytes + levels[0].bytes;
        const content = await bytes(path, at, at + length, signal.size);
        if (!content) return openCoarse("ranges");
        const found = await ishtar.blocks.head(content.subarray(0, headBytes), signal);
        let place = at + headBytes;
        edges = found.sizes.map((sizes) => [place, ...sizes.map((size) => place += size)]);
        await keep(`${key} 0-0`, ishtar.blocks.block(content.subarray(headBytes), shape(0, 0, found.value)));
        head = found;
      };

      /** @param {number} level @param {number[]} ks blocks side by side */
      const fetchTogether = async (level, ks) => {
        const [from, to] = [edges[level][ks[0]], edges[level][ks[ks.length - 1] + 1]];
        const loading = bytes(path, from, to, signal.size);
        await Promise.all(ks.map((k) => keep(`${key} ${level}-${k}`, loading.then((content) => {
          if (!content) throw new Error(`${path} is too large for this server, which sends no parts of files.`);
          return ishtar.blocks.block(content.subarray(edges[level][k] - from, edges[level][k + 1] - from), shape(level, k, head?.value ?? null));
        }))));
      };

      /** @param {number} level @param {number} first @param {number} last */
      const fetchBlocks = async (level, first, last) => {
        opening ??= open().catch((error) => {
          opening = null;
          throw error;
        });
        await opening;
        /** @type {number[][]} */
        const runs = [];
        for (let k = first; k <= last; k++) {
          const there = kept.get(`${key} ${level}-${k}`);
          if (there) { await there; continue; }
          if (coarse) {
            const text = coarse.levels[level]?.[k];
            if (text !== undefined) await keep(`${key} ${level}-${k}`, ishtar.blocks.block(fromBase64(text), shape(level, k, null)));
          } else if (runs.length && runs[runs.length - 1].at(-1) === k - 1) runs[runs.length - 1].push(k);
          else runs.push([k]);
        }
        await Promise.all(runs.map((ks) => fetchTogether(level, ks)));
      };

      return {
        cost(level, first, last) {
          if (coarse) return 0;
          if (!head) return headBytes + levels[level].bytes;
          let sum = 0;
          for (let k = first; k <= last; k++) if (!kept.has(`${key} ${level}-${k}`)) sum += head.sizes[level][k];
          return sum;
        },

        fetch: (level, first, last) => fetchBlocks(level, first, last).catch((error) => {
          throw new Error(`${signal.name} of shot ${index.shot}: ${error.message}`);
        }),

        block: (level, k) => used(`${key} ${level}-${k}`),
        starts: (level) => head?.starts?.[level] ?? null,
        depth: () => coarse ? coarse.levels.length : levels.length,
        limit: () => coarse ? coarse.why : "",
      };
    },
  };
})();
