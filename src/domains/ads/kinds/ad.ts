import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { AD_SET, ASSET, GROUP, VERSION } from './identity.ts';
import { AD_EVENTS } from '../rules/ad-events.ts';
import {
  account,
  httpsUrl,
  nameOf,
  nameProblems,
  ownProblems,
  pageProblems,
  pageUrl,
  paused,
  SERVING_COLUMNS,
  servingStatus,
  title,
} from './parts.ts';

const WEIGHT_MAX = 1_000_000;
const TRACKING_MAX = 20;
const VERIFICATIONS_MAX = 5;
/** Ads of an ad set: it is compiled as a whole, some 3 µs for each, whenever one of them changes. */
const IN_AD_SET_MAX = 200;

const AdSpecSchema = Type.Object(
  {
    account,
    adSet: nameOf('AdSet'),
    asset: nameOf('Asset'),
    title,
    paused,
    weight: Type.Integer({
      minimum: 1,
      maximum: WEIGHT_MAX,
      default: 1,
      description: 'Its share among the ads of the ad set that fit a break.',
    }),
    clickThrough: Type.Optional(pageUrl('The page that a click opens.')),
    companion: Type.Optional({
      ...nameOf('Asset'),
      description: 'Name of an Asset of images, which are shown while the ad plays. Those without a size are left out.',
    }),
    tracking: Type.Optional(
      Type.Array(
        Type.Object(
          {
            event: Type.Enum(AD_EVENTS, { description: 'When it is called.' }),
            url: { ...httpsUrl, description: 'Macros of VAST like [CACHEBUSTING] are filled in by the player.' },
          },
          { description: 'A pixel of a third party.' },
        ),
        {
          maxItems: TRACKING_MAX,
          description: 'Called by the player in VAST, where the listener permits measurement.',
        },
      ),
    ),
    verification: Type.Optional(
      Type.Array(
        Type.Object(
          {
            vendor: Type.String({ minLength: 1, maxLength: 100, description: 'Like acme.example-omid.' }),
            url: { ...httpsUrl, description: 'Its script for OMID.' },
            parameters: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000, description: 'For the script.' })),
            notExecuted: Type.Optional({ ...httpsUrl, description: 'Called when the script was not run.' }),
          },
          { description: 'A vendor that measures in the player (OMID).' },
        ),
        { maxItems: VERIFICATIONS_MAX, description: 'In VAST, where the listener permits measurement.' },
      ),
    ),
    explicit: Type.Optional(Type.Boolean({ description: 'True: never for listeners who filter what is explicit.' })),
  },
  { description: 'An asset, served for an ad set.' },
);

export type AdSpec = Static<typeof AdSpecSchema>;

export const Ad = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Ad',
  plural: 'ads',
  categories: ['advertising'],
  scope: 'Namespaced',
  direct: true,
  names: 'namespace',
  description: 'An ad serves an asset for an ad set.',
  spec: AdSpecSchema,
  status: servingStatus,
  computedStatus: true,
  columns: [
    { name: 'AdSet', type: 'string', description: 'The AdSet.', value: ({ spec }) => spec.adSet },
    { name: 'Asset', type: 'string', description: 'The Asset.', value: ({ spec }) => spec.asset },
    ...SERVING_COLUMNS,
  ],
  selectableFields: { 'spec.account': ['spec', 'account'], 'spec.adSet': ['spec', 'adSet'] },
  indexes: {
    account: (spec) => [spec.account],
    adSet: (spec) => [spec.adSet],
    asset: ({ asset, companion }) => (companion === undefined ? [asset] : [asset, companion]),
  },
  fieldIndexes: { 'spec.account': 'account', 'spec.adSet': 'adSet' },
  sharingMax: { adSet: { objects: IN_AD_SET_MAX } },
  refs: (spec, namespace) => [
    { path: ['spec', 'adSet'], kind: AD_SET, name: `${namespace}/${spec.adSet}` },
    { path: ['spec', 'asset'], kind: ASSET, name: `${namespace}/${spec.asset}` },
    ...(spec.companion === undefined
      ? []
      : [{ path: ['spec', 'companion'], kind: ASSET, name: `${namespace}/${spec.companion}` }]),
  ],
  validate: (spec, { name }) => [
    ...nameProblems(spec, name),
    ...ownProblems(spec.account, ['spec', 'adSet'], spec.adSet),
    ...ownProblems(spec.account, ['spec', 'asset'], spec.asset),
    ...pageProblems(spec.clickThrough, ['spec', 'clickThrough']),
    ...(spec.companion === undefined ? [] : ownProblems(spec.account, ['spec', 'companion'], spec.companion)),
  ],
  example: {
    name: 'acme.runners-30',
    spec: { account: 'acme', adSet: 'acme.runners', asset: 'acme.jingle', weight: 1 },
  },
});
