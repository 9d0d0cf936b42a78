import { CustomResourceDefinition } from '#kernel/definitions/kinds/custom-resource-definition.ts';
import { kindOf } from '#kernel/definitions/rules/define-kind-of.ts';
import { RELEASED_ANNOTATION, RELEASED_CONDITION } from '#kernel/definitions/rules/released-annotation.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { NodeSpec } from './node.ts';

/** A kind that users define, with its releases. Each generation of the definition has its own maximum, and brings a default. */
export function gaugeKind(generation: number, valueMax: number): Kind {
  const { apiVersion, kind } = CustomResourceDefinition;
  const properties = {
    needs: { type: 'array', maxItems: 0, items: { type: 'string' } },
    value: { type: 'integer', maximum: valueMax },
    neighbourMax: { type: 'integer' },
    [`since${generation}`]: { type: 'boolean', default: true },
  };
  const openAPIV3Schema = {
    type: 'object',
    required: ['spec'],
    properties: { spec: { type: 'object', properties } },
  };
  const object: ResourceObject = {
    apiVersion,
    kind,
    metadata: { name: 'gauges.stock.example', uid: 'u', generation, annotations: { [RELEASED_ANNOTATION]: 'true' } },
    spec: {
      group: 'stock.example',
      names: { plural: 'gauges', kind: 'Gauge' },
      scope: 'Namespaced',
      versions: [
        { name: 'v1', served: true, storage: true, subresources: { status: {} }, schema: { openAPIV3Schema } },
      ],
    },
    status: {
      conditions: ['Established', RELEASED_CONDITION].map((type) => ({ type, status: 'True' })),
    },
  };
  return kindOf(object, { text: JSON.stringify(object) });
}

/** Nodes and gauges are looked at by one oracle. */
export function gaugeSpec(value: number): NodeSpec {
  return { needs: [], value, neighbourMax: 9 };
}
