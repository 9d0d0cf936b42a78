import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableOf } from '#kernel/api/table.ts';
import { discoveryDocuments } from '#kernel/api/discovery.ts';
import { openApiDocuments } from '#kernel/api/openapi.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { fieldsWithoutEffect } from '#kernel/kinds/testing/field-effects.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { statusFor } from '../rules/accept-names.ts';
import { kindOf } from '../rules/define-kind-of.ts';
import { digestIn } from '../rules/digest.ts';
import { definitionProblems } from './check-definition.ts';
import { CustomResourceDefinition } from './custom-resource-definition.ts';
import type { DefinitionSpec } from './definition-spec.ts';

const NOW = Temporal.Instant.from('2026-05-01T12:00:00Z');

const SPEC = {
  group: 'stock.example',
  names: {
    plural: 'widgets',
    singular: 'widget',
    kind: 'Widget',
    listKind: 'WidgetList',
    shortNames: ['wd'],
    categories: ['all'],
  },
  scope: 'Namespaced',
  versions: [
    {
      name: 'v1',
      served: true,
      storage: true,
      deprecated: true,
      deprecationWarning: 'Use v2.',
      schema: {
        openAPIV3Schema: {
          type: 'object',
          properties: {
            spec: { type: 'object', properties: { size: { type: 'integer' }, color: { type: 'string' } } },
            status: { type: 'object', properties: { size: { type: 'integer' }, selector: { type: 'string' } } },
          },
        },
      },
      subresources: {
        status: {},
        scale: {
          specReplicasPath: '.spec.size',
          statusReplicasPath: '.status.size',
          labelSelectorPath: '.status.selector',
        },
      },
      additionalPrinterColumns: [
        {
          name: 'Size',
          type: 'integer',
          format: 'int32',
          description: 'Its size.',
          priority: 1,
          jsonPath: '.spec.size',
        },
      ],
      selectableFields: [{ jsonPath: '.spec.color' }],
    },
    { name: 'v2', served: true, storage: false, schema: { openAPIV3Schema: { type: 'object' } } },
  ],
  conversion: { strategy: 'None' },
  preserveUnknownFields: false,
};

const CONVERSION = {
  strategy: 'Webhook',
  webhook: {
    clientConfig: { url: 'https://convert.stock.example', caBundle: 'cGVt' },
    conversionReviewVersions: ['v1'],
  },
};

/** All that a definition changes: the kind, the paths that it is found by, tables, the status. */
async function observe(spec: unknown): Promise<unknown> {
  const object = {
    apiVersion: CustomResourceDefinition.apiVersion,
    kind: CustomResourceDefinition.kind,
    metadata: { name: 'widgets.stock.example' },
    spec,
  } as ResourceObject;
  const problems = definitionProblems(spec as DefinitionSpec, { name: 'widgets.stock.example' });
  if (problems.length > 0) return problems;
  const kind = kindOf(object, { text: JSON.stringify(object) });
  const { versions = [] } = kind.definition ?? {};
  const documents = [...discoveryDocuments([kind], '1').plain, ...openApiDocuments([kind], '1')];
  return [
    statusFor(digestIn(object), [], '2026-05-01T12:00:00Z'),
    kind.definition?.webhook,
    versions.map(({ apiVersion, deprecation, scale, selectableFields }) => [
      apiVersion,
      deprecation,
      scale,
      selectableFields,
    ]),
    await Promise.all(documents.map(async ([path, make]) => [path, (await make()).body])),
    versions.map((version) => tableFor(version)),
  ];
}

function tableFor(kind: Kind): unknown {
  const metadata = { name: 'a', creationTimestamp: '2026-05-01T11:00:00Z' };
  const object = { apiVersion: kind.apiVersion, kind: kind.kind, metadata, spec: { size: 3 } };
  return tableOf(kind, [textEntry(kind, object, 1)], { metadata: {}, includeObject: 'None', now: NOW, columns: true });
}

test('each field of a definition has an effect', async () => {
  const without = await fieldsWithoutEffect({
    kind: CustomResourceDefinition,
    bases: [SPEC, { ...SPEC, conversion: CONVERSION }],
    // Clients of Kubernetes send it.
    informational: ['versions[].additionalPrinterColumns[].format'],
    values: {
      'conversion.webhook.clientConfig.service': [{ name: 'a', namespace: 'b' }],
      'conversion.webhook.clientConfig.caBundle': ['b3RoZXI='],
      scope: ['Cluster'],
      'versions[].subresources.status': [undefined],
      'versions[].schema.openAPIV3Schema': [{ type: 'object' }],
      'versions[].additionalPrinterColumns[].jsonPath': ['.spec.color'],
      'versions[].selectableFields[].jsonPath': ['.spec.size'],
      'versions[].subresources.scale.specReplicasPath': ['.spec.color'],
      'versions[].subresources.scale.statusReplicasPath': ['.status.other'],
      'versions[].subresources.scale.labelSelectorPath': ['.status.other'],
    },
    observe,
  });
  assert.deepEqual(without, []);
});
