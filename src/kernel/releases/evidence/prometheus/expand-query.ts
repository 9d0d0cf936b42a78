/** The variables of a query. */
export interface QueryVariables {
  readonly release: string;
  readonly track: 'candidate' | 'stable';
  readonly windowMs: number;
}

const VARIABLE = /\$(release|track|window)\b/g;

/** Whether a query is for one track at a time; any other returns both, with the label `track`. */
export function namesTrack(query: string): boolean {
  return /\$track\b/.test(query);
}

/** Whether a query has a default for missing series, as with `or vector(0)`. */
export function hasDefault(query: string): boolean {
  return /\bvector\s*\(/.test(query);
}

/** A query with its variables replaced. Values are escaped for PromQL strings. Pure. */
export function expandQuery(query: string, { release, track, windowMs }: QueryVariables): string {
  const values: Readonly<Record<string, string>> = {
    release: escapeLabel(release),
    track,
    window: `${Math.round(windowMs / 1_000)}s`,
  };
  return query.replaceAll(VARIABLE, (whole, name: string) => values[name] ?? whole);
}

function escapeLabel(text: string): string {
  return text.replaceAll(/[\\"'`]/g, '\\$&').replaceAll('\n', String.raw`\n`);
}
