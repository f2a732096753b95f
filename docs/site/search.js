// How the site's search ranks pages. Sphinx demands every word of a question and then orders by title; here a
// page counts for the words that it has, rare ones more than common ones, and for words of its headings most.

(() => {
  const FACTORS = { // pages that hold nearly every word, and seldom the answer
    "generated/changelog": 0.3, "generated/commands": 0.6, "generated/settings": 0.7, architecture: 0.6,
    "reference/cxr_enhance": 0.7, "reference/cxr_models": 0.7, "reference/files": 0.7, "reference/adapters": 0.7,
  };
  const factor = name => FACTORS[name] ?? (name.startsWith("decisions/") ? 0.6 : 1);
  const ALSO = { // other people's words, with ours
    16: ["sixteen"], anonymize: ["identity"], anonymise: ["identity"], deidentify: ["identity"], leakage: ["leak"],
    leak: ["patients", "copies"], auroc: ["auc"], roc: ["auc"], multilabel: ["findings"], pathology: ["finding"],
    hospital: ["source"], site: ["source"], dataloader: ["dataset", "torch"], pytorch: ["torch"], ram: ["memory"],
    heatmap: ["cam"], saliency: ["cam"], gradcam: ["cam"], windows: ["macos", "window"], jupyter: ["notebook"],
    fairness: ["subgroups"], bias: ["subgroups"],
  };
  const HEADING = 1, TEXT = 0.45, PART_OF_WORD = 0.4;

  function pagesWith(word) { // the best value of the word in each page that has it
    const found = new Map();
    for (const [table, value] of [[Search._index.terms, TEXT], [Search._index.titleterms, HEADING]]) {
      const words = Object.hasOwn(table, word) ? [[word, value]]
        : word.length > 3 ? Object.keys(table).filter(other => other.includes(word)).map(other => [other, value * PART_OF_WORD])
        : [];
      for (const [one, worth] of words) {
        for (const page of [table[one]].flat()) found.set(page, Math.max(found.get(page) ?? 0, worth));
      }
    }
    return found;
  }

  function rankedPages(terms, excluded) {
    const {docnames, titles, filenames} = Search._index;
    const scores = new Array(docnames.length).fill(0);
    const stemmer = new Stemmer();
    const weights = new Map(); // of each term and its other words
    let most = 0;
    for (const term of terms) {
      const found = pagesWith(term);
      for (const other of [...(ALSO[term] ?? [])].map(word => stemmer.stemWord(word))) {
        for (const [page, worth] of pagesWith(other)) found.set(page, Math.max(found.get(page) ?? 0, worth * 0.9));
      }
      if (!found.size) continue; // a value or a name of the user's own
      const weight = Math.log(1 + docnames.length / found.size);
      most += weight;
      for (const word of [term, ...(ALSO[term] ?? []).map(other => stemmer.stemWord(other))]) weights.set(word, weight);
      for (const [page, worth] of found) scores[page] += weight * worth;
    }
    const without = new Set([...excluded].flatMap(term => [...pagesWith(term).keys()]));
    return scores
      .map((score, page) => [page, (score / most) * 30 * factor(docnames[page])])
      .filter(([page, score]) => score > 4 && !without.has(page))
      .sort((a, b) => b[1] - a[1]).slice(0, 20)
      .map(([page, score]) => {
        const heading = bestHeading(page, weights, most);
        const title = heading ? `${titles[page]} > ${heading.title}` : titles[page];
        return [docnames[page], title, heading ? `#${heading.id}` : "", null, score, filenames[page], SearchResultKind.text];
      });
  }

  function bestHeading(page, weights, most) { // that has more than half of the question, or null
    const stemmer = new Stemmer();
    let best = null, share = most / 2;
    for (const [title, places] of Object.entries(Search._index.alltitles)) {
      const place = places.find(([file, id]) => file === page && id !== null);
      if (!place || title === Search._index.titles[page]) continue;
      const words = new Set(splitQuery(title.toLowerCase()).map(word => stemmer.stemWord(word)));
      const sum = [...weights].reduce((all, [word, weight]) => all + (words.has(word) ? weight : 0), 0);
      if (sum > share) [best, share] = [{title, id: place[1]}, sum];
    }
    return best;
  }

  if (typeof Search === "undefined") return; // a page without a search
  Search.performTermsSearch = rankedPages;
  const search = Search._performSearch;
  Search._performSearch = (query, terms, ...rest) => {
    const stemmer = new Stemmer();
    for (const word of splitQuery(query.toLowerCase())) {
      if (Object.hasOwn(ALSO, word)) { // Sphinx drops numbers, and stems the others
        terms.delete(stemmer.stemWord(word));
        terms.add(word);
      }
    }
    return search(query, terms, ...rest);
  };
  Scorer.score = ([name, , anchor, , score, , kind]) => {
    if (kind === SearchResultKind.text) return score;
    const isHeading = kind === SearchResultKind.title;
    return (isHeading ? score * 2 + (anchor ? 12 : 20) : Math.min(score, 26)) * factor(name);
  };
})();
