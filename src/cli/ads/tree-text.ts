import type { Colours } from '../terminal/io.ts';
import { textTable } from '../terminal/text-table.ts';
import type { AccountTree } from './account-tree.ts';

type Row = readonly [name: string, what: string, state: string];

/** Trees of accounts as one table, a step to the right for each level. */
export function treeText(trees: readonly AccountTree[], { bold }: Colours): string {
  const [head = '', ...lines] = textTable([['NAME', 'KIND', 'STATE'], ...trees.flatMap(rowsOf)]).split('\n');
  return [bold(head), ...lines].join('\n');
}

function rowsOf({
  account,
  title,
  currency,
  suspended,
  campaigns,
  strayAds,
  unusedAssets,
}: AccountTree): readonly Row[] {
  const rows: Row[] = [
    [
      account,
      `advertiser, ${currency}${title === undefined ? '' : `, ${title}`}`,
      suspended === undefined ? 'active' : `suspended: ${suspended}`,
    ],
  ];
  for (const { campaign, missing, paused, adSets } of campaigns) {
    rows.push([`  ${campaign}`, 'campaign', missing ? 'not declared' : stateOf(paused)]);
    for (const { adSet, tier, goal, bid, halts, ads } of adSets) {
      const state = halts.length === 0 ? 'may be served' : `not served: ${halts.join(', ')}`;
      rows.push([`    ${adSet}`, `ad set, ${tier}, ${bid} ${goal}`, state]);
      for (const { ad, paused: isPaused, asset, format, seconds } of ads) {
        rows.push([`      ${ad}`, 'ad', stateOf(isPaused)]);
        const what = `asset${format === undefined ? '' : `, ${format}`}${seconds === undefined ? '' : `, ${seconds} s`}`;
        rows.push([`        ${asset}`, what, format === undefined ? 'not declared' : 'declared']);
      }
    }
  }
  for (const { ad, adSet } of strayAds) rows.push([`  ${ad}`, 'ad', `not served: ${adSet} is not declared`]);
  for (const asset of unusedAssets) rows.push([`  ${asset}`, 'asset', 'no ad plays it']);
  return rows;
}

function stateOf(paused: boolean): string {
  return paused ? 'paused' : 'active';
}
