import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { ADVERTISER, GROUP, VERSION } from './identity.ts';
import {
  account,
  budget,
  budgetProblems,
  capProblems,
  frequencyCaps,
  nameProblems,
  paused,
  SERVING_COLUMNS,
  servingStatus,
  title,
} from './parts.ts';

const CampaignSpecSchema = Type.Object(
  { account, title, paused, budget, frequencyCaps },
  { description: 'Ad sets that are started and paused together.' },
);

export const Campaign = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Campaign',
  plural: 'campaigns',
  categories: ['advertising'],
  scope: 'Namespaced',
  direct: true,
  names: 'namespace',
  description: 'A campaign is a set of ad sets of one advertiser.',
  spec: CampaignSpecSchema,
  status: servingStatus,
  computedStatus: true,
  columns: [
    { name: 'Account', type: 'string', description: 'The Advertiser.', value: ({ spec }) => spec.account },
    ...SERVING_COLUMNS,
    { name: 'Title', type: 'string', description: 'The name that people see.', value: ({ spec }) => spec.title },
  ],
  selectableFields: { 'spec.account': ['spec', 'account'] },
  indexes: { account: (spec) => [spec.account] },
  fieldIndexes: { 'spec.account': 'account' },
  refs: (spec, namespace) => [{ path: ['spec', 'account'], kind: ADVERTISER, name: `${namespace}/${spec.account}` }],
  validate: (spec, { name }) => [...nameProblems(spec, name), ...budgetProblems(spec), ...capProblems(spec)],
  example: { name: 'acme.spring', spec: { account: 'acme', title: 'Spring' } },
});
