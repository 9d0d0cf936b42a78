import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { negotiate, type AcceptedForm } from './accept.ts';

const CASES: readonly [name: string, header: string | undefined, expected: AcceptedForm][] = [
  ['no header', undefined, { as: 'json' }],
  ['an empty header', ' ', { as: 'json' }],
  ['curl', '*/*', { as: 'json' }],
  ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', { as: 'json' }],
  [
    'kubectl get',
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
    { as: 'json', table: 'v1' },
  ],
  ['kubectl describe: protobuf first', 'application/vnd.kubernetes.protobuf,application/json', { as: 'json' }],
  [
    'kubectl discovery',
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json',
    { as: 'json', discovery: 'v2' },
  ],
  [
    'kubectl 1.27 discovery',
    'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json',
    { as: 'json', discovery: 'v2beta1' },
  ],
  [
    'metadata informers',
    'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
    { as: 'json', partial: 'list' },
  ],
  ['a watch', 'application/json;stream=watch', { as: 'json', stream: 'watch' }],
  [
    'a table of the future behind which is JSON',
    'application/json;as=Table;v=v2;g=meta.k8s.io, application/json',
    { as: 'json' },
  ],
  ['YAML', 'application/yaml', { as: 'yaml' }],
  ['YAML with less quality', 'application/yaml;q=0.5, application/json;q=0.9', { as: 'json' }],
  ['YAML before anything', '*/*, application/yaml', { as: 'yaml' }],
  ['capitals and spaces', ' Application/JSON ; AS=Table ; v=v1 ; g="meta.k8s.io" ', { as: 'json', table: 'v1' }],
];

for (const [name, header, expected] of CASES) {
  test(`the form of the answer follows the Accept header: ${name}`, () => {
    assert.deepEqual(negotiate(header), expected);
  });
}

for (const header of [
  'text/html',
  'application/vnd.kubernetes.protobuf',
  'application/json;q=0',
  'application/json;q=x',
  'application/json;as=Table;v=v9;g=meta.k8s.io',
  'application/json;stream=other',
  ',;=;',
]) {
  test(`a client that takes none of our forms gets a list of them: ${header}`, () => {
    assert.throws(
      () => negotiate(header),
      (error) => error instanceof Refusal && error.status === 406 && error.message.includes('application/yaml'),
    );
  });
}
