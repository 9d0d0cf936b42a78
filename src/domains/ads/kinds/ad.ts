import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { AD_SET, ASSET, GROUP, VERSION } from './identity.ts';
import { account, nameOf, nameProblems, ownProblems, paused, title } from './parts.ts';

const WEIGHT_MAX = 1_000_000;

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
    clickThrough: Type.Optional(
      Type.String({ pattern: '^https://\\S+$', maxLength: 2_000, description: 'The page that a click opens.' }),
    ),
    explicit: Type.Optional(Type.Boolean({ description: 'True: never for listeners who filter what is explicit.' })),
  },
  { description: 'An asset, served for an ad set.' },
);

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
  columns: [
    { name: 'AdSet', type: 'string', description: 'The AdSet.', value: ({ spec }) => spec.adSet },
    { name: 'Asset', type: 'string', description: 'The Asset.', value: ({ spec }) => spec.asset },
    {
      name: 'Paused',
      type: 'boolean',
      description: 'Whether it is paused.',
      value: ({ spec }) => spec.paused ?? false,
    },
  ],
  selectableFields: { 'spec.account': ['spec', 'account'], 'spec.adSet': ['spec', 'adSet'] },
  indexes: { account: (spec) => [spec.account], adSet: (spec) => [spec.adSet], asset: (spec) => [spec.asset] },
  fieldIndexes: { 'spec.account': 'account', 'spec.adSet': 'adSet' },
  refs: (spec, namespace) => [
    { path: ['spec', 'adSet'], kind: AD_SET, name: `${namespace}/${spec.adSet}` },
    { path: ['spec', 'asset'], kind: ASSET, name: `${namespace}/${spec.asset}` },
  ],
  validate: (spec, { name }) => [
    ...nameProblems(spec, name),
    ...ownProblems(spec.account, ['spec', 'adSet'], spec.adSet),
    ...ownProblems(spec.account, ['spec', 'asset'], spec.asset),
  ],
  example: {
    name: 'acme.runners-30',
    spec: { account: 'acme', adSet: 'acme.runners', asset: 'acme.jingle', weight: 1 },
  },
});
