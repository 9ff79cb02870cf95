# The image of tail-daemonset.yaml: Node and one file. In a checkout that is built:
#   docker build -f examples/deploy/tail.Dockerfile -t registry.example/truecount-tail:0.1.0 dist
FROM node:22-alpine
COPY truecount-tail.mjs /usr/local/lib/
RUN ln -s ../lib/truecount-tail.mjs /usr/local/bin/truecount
USER 10001:10001
ENTRYPOINT ["truecount"]
