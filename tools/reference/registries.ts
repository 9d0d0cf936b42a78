import { accessRefusal } from '#kernel/access/refusals.ts';
import { admissionRefusal } from '#kernel/admission/refusals.ts';
import { definitionRefusal } from '#kernel/definitions/refusals.ts';
import { controllerRefusal } from '#kernel/controllers/refusals.ts';
import { datasetRefusal, eventRefusal } from '#kernel/events/refusals.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { outboundRefusal } from '#kernel/outbound/refusals.ts';
import { postgresRefusal } from '#kernel/postgres/refusals.ts';
import { quotaRefusal } from '#kernel/quotas/refusals.ts';
import { releaseRefusal } from '#kernel/releases/refusals.ts';
import { clientRefusal, decisionRefusal } from '#kernel/snapshots/refusals.ts';
import { adRefusal } from '#domains/ads/refusals.ts';
import { deployRefusal } from '#domains/deploy/refusals.ts';
import { flagRefusal } from '#domains/experience/refusals.ts';
import { productRefusal } from '#domains/products/refusals.ts';
import { startRefusal } from '#planes/refusals.ts';
import type { Registry } from './refusals.ts';

/** The registries of all modules; a test finds one that is missing. */
export const registries: readonly Registry[] = [
  accessRefusal,
  admissionRefusal,
  definitionRefusal,
  controllerRefusal,
  datasetRefusal,
  eventRefusal,
  httpRefusal,
  resourceRefusal,
  outboundRefusal,
  postgresRefusal,
  quotaRefusal,
  releaseRefusal,
  clientRefusal,
  decisionRefusal,
  adRefusal,
  deployRefusal,
  flagRefusal,
  productRefusal,
  startRefusal,
];
