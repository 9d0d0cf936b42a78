import assert from 'node:assert/strict';
import type { Call } from './backline.ts';
import { feature } from './catalogue.ts';
import { CHANGE_SETS, changeSet } from './flags.ts';

export const ADS = '/apis/ads.backline.dev/v1/namespaces/default';
export const DRAFTS = '/apis/releases.backline.dev/v1/namespaces/default/drafts';

const RELEASES = 'releases.backline.dev/v1';

export function draftOf(name: string, objects: readonly unknown[], more: object = {}) {
  return { apiVersion: RELEASES, kind: 'Draft', metadata: { name, namespace: 'default' }, spec: { objects, ...more } };
}

export function publicationOf(spec: { readonly uid: string; readonly resourceVersion?: string }) {
  return { apiVersion: RELEASES, kind: 'DraftPublication', metadata: {}, spec };
}

export const VALIDATION = { apiVersion: RELEASES, kind: 'DraftValidation', metadata: {} };

/** The placement `between-songs`, for audio, with a floor of 2.00 EUR. */
export async function declarePlacement(call: Call): Promise<void> {
  const metadata = (name: string) => ({ name, namespace: 'default' });
  const apiVersion = 'ads.backline.dev/v1';
  const spec = {
    format: 'audio',
    slots: 3,
    seconds: 90,
    currency: 'EUR',
    policy: 'standard',
    adFreeFeature: 'ad-free',
    floor: { cpm: '2.00' },
  };
  const placed = await call('POST', CHANGE_SETS, {
    body: changeSet(
      feature('ad-free'),
      { apiVersion, kind: 'AdPolicy', metadata: metadata('standard'), spec: { consent: [{ framework: 'none' }] } },
      { apiVersion, kind: 'Placement', metadata: metadata('between-songs'), spec },
    ),
  });
  assert.equal(placed.status, 201, placed.text);
}
