#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The AWS SDK for JavaScript sends a stream in chunks with a checksum behind them (aws-chunked). A server that does not know this form
# of 2022 stores sizes and checksum as a part of the picture, and answers 200.
source "$(dirname "$0")/common.bash"

mkdir "$work/node" && cd "$work/node"
npm install --silent --no-audit --no-fund s3rver@3.7.1 @aws-sdk/client-s3@3.1175.0
echo "packages: s3rver 3.7.1, @aws-sdk/client-s3 3.1175.0, Node.js $(node --version)"
expect "what was stored is what was sent, or an error"

printf 'picture' >picture.jpg
cat >store.js <<'JS'
const fs = require('fs');
const S3rver = require('s3rver');
const { S3Client, PutObjectCommand, GetObjectCommand } = require('@aws-sdk/client-s3');
(async () => {
  const server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory: 'objects', configureBuckets: [{ name: 'pictures' }] });
  const { port } = await server.run();
  const stored = async (name, Body, settings) => {
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', forcePathStyle: true,
      credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }, ...settings,
    });
    const answer = await client.send(new PutObjectCommand({ Bucket: 'pictures', Key: name, Body, ContentLength: 7 }));
    const object = await client.send(new GetObjectCommand({ Bucket: 'pictures', Key: name }));
    const text = Buffer.from(await object.Body.transformToByteArray()).toString();
    console.log(`seen: ${name}: answer ${answer.$metadata.httpStatusCode}, stored ${JSON.stringify(text)}`);
    return text;
  };
  const stream = () => fs.createReadStream('picture.jpg');
  const whole = await stored('buffer', fs.readFileSync('picture.jpg'), {});
  const chunked = await stored('stream', stream(), {});
  const plain = await stored('stream, checksum when required', stream(), { requestChecksumCalculation: 'WHEN_REQUIRED' });
  await server.close();
  const framed = chunked.startsWith('7\r\npicture\r\n0\r\n') && chunked.includes('x-amz-checksum-crc32:');
  process.exit(whole === 'picture' && plain === 'picture' && framed ? 0 : 1);
})();
JS
timeout 120 node --no-warnings store.js
echo "so: with servers other than AWS set requestChecksumCalculation to WHEN_REQUIRED, and read back one object before trusting a server"
