import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { CURRENCIES, WITHDRAWN } from '#kernel/base/currencies.ts';
import { nearTerritories, TERRITORIES } from '#kernel/base/territories.ts';

const require = createRequire(import.meta.url);

interface PublishedCurrency {
  readonly code: string;
  readonly digits: number;
}

/** Metals, bond units, test codes, SDR and the like: ISO 4217 gives them no minor unit. */
const WITHOUT_MINOR_UNIT = /^X(?!AF$|CD$|OF$|PF$)/;
/** In force since 31 March 2025, later than the list that the package carries. */
const NEWER_THAN_PACKAGE = new Set(['XCG']);

test('every currency has the decimals of ISO 4217, and none is missing', () => {
  const published: readonly PublishedCurrency[] = require('currency-codes/data.js');
  const expected = published
    .filter(({ code }) => !WITHOUT_MINOR_UNIT.test(code))
    .map(({ code, digits }): [string, number] => [code, digits]);
  const ours = [...CURRENCIES].filter(([code]) => !NEWER_THAN_PACKAGE.has(code) && !WITHDRAWN.has(code));
  assert.deepEqual(Object.fromEntries(ours), Object.fromEntries(expected));
});

test('the sixteen currencies whose decimals Intl has otherwise follow ISO 4217', () => {
  const differing = [...CURRENCIES]
    .filter(([currency, digits]) => {
      if (WITHDRAWN.has(currency)) return false;
      const { maximumFractionDigits } = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions();
      return maximumFractionDigits !== digits;
    })
    .map(([currency]) => currency);
  assert.equal(differing.toSorted().join(' '), 'AFN ALL COP HUF IDR IQD IRR KPW LAK LBP MGA MMK PKR SOS SYP YER');
});

test('territories are those of ISO 3166-1 and Kosovo', () => {
  const countries: readonly { readonly cca2: string }[] = require('world-countries');
  assert.deepEqual([...TERRITORIES].toSorted(), countries.map(({ cca2 }) => cca2).toSorted());
});

test('codes that people write for a territory lead to that of ISO 3166-1', () => {
  const meant = ['UK', 'EL', 'de'].map((code) => nearTerritories(code, TERRITORIES));
  assert.deepEqual(meant, [['GB'], ['GR'], ['DE']]);
});
