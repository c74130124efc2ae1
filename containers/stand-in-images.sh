#!/usr/bin/env bash
# For machines without a container registry. Builds stand-ins of the two images that Tandem's containers are made of and
# gives them the official names, python:3.11-slim-bookworm and apache/kafka:4.1.1. Wherever docker can pull, the real
# images are used and this script is not needed. A name that docker has already is left as it is.
#
# Needs root, docker, debootstrap and `make env`. Debian's packages come from the mirror that apt uses on this machine
# (another one: DEBIAN_MIRROR), Kafka's jars from Maven Central. The authorities that this machine trusts are trusted in
# the Python image too, so that pip works behind a proxy of one's own.
#
# The stand-in of Kafka keeps the official image's contract as far as containers/services.yaml leans on it: /opt/kafka,
# the user appuser (1000), data in /var/lib/kafka/data, and /etc/kafka/docker/run, where Kafka's own class
# kafka.docker.KafkaDockerWrapper turns KAFKA_* variables into server.properties and formats the data directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON_IMAGE=python:3.11-slim-bookworm
KAFKA_IMAGE=apache/kafka:4.1.1
SUITE=bookworm
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

say() { echo "==> $*"; }

mirror() {
  if [ -n "${DEBIAN_MIRROR:-}" ]; then echo "$DEBIAN_MIRROR"; return; fi
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Identifier: Packages' |
    awk -v suite="$SUITE" '$1 == suite { print $2; exit }'
}

debian() { # directory, packages separated by commas
  debootstrap --variant=minbase --include="$2" "$SUITE" "$1" "$(mirror)" >"$WORK/debootstrap.log" ||
    { tail -n 20 "$WORK/debootstrap.log" >&2; exit 1; }
  rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/* "$1"/usr/share/{doc,man,locale}/*
}

import() { # directory, image, changes
  local root=$1 image=$2
  shift 2
  tar -C "$root" --numeric-owner --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* -c . |
    docker import --change 'LABEL stand-in=true' "$@" - "$image" >/dev/null
  say "$image, $(du -sh "$root" | cut -f1)"
}

python_image() {
  local root=$WORK/python name
  debian "$root" ca-certificates,python3,python3-pip,python3-venv
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  for name in python python3 python3.11; do ln -s /usr/bin/python3.11 "$root/usr/local/bin/$name"; done
  import "$root" "$PYTHON_IMAGE" --change 'CMD ["python3"]'
}

kafka_jars() { # directory
  .venv/bin/python - "$1" <<'PYTHON'
import shutil
import sys

from jgo.maven import MavenContext

from runtime.kafka_programs import KAFKA_VERSION, kafka_jars

shutil.copytree(kafka_jars(print), sys.argv[1], dirs_exist_ok=True, ignore=shutil.ignore_patterns("slf4j-simple-*"))
# Alone, without what they would bring: the command line tools, and the bridge to log4j as in the official image.
maven = MavenContext(timeout=60)
for group, name, version in (
    ("org.apache.kafka", "kafka-tools", KAFKA_VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
):
    shutil.copy(maven.project(group, name).at_version(version).artifact().resolve(), sys.argv[1])
PYTHON
}

script() { # path; the text on standard input
  { echo '#!/usr/bin/env bash'; cat; } >"$1"
  chmod 755 "$1"
}

tool() { # path, class
  script "$1" <<<"exec \"\$(dirname \"\$0\")/kafka-run-class.sh\" $2 \"\$@\""
}

kafka_image() {
  local root=$WORK/kafka opt etc
  opt=$root/opt/kafka etc=$root/etc/kafka/docker
  debian "$root" ca-certificates,openjdk-17-jre-headless,procps
  mkdir -p "$opt"/{bin,config,libs} "$etc" "$root"/{etc/kafka/secrets,var/lib/kafka/data,mnt/shared/config,usr/logs}
  kafka_jars "$opt/libs"
  script "$opt/bin/kafka-run-class.sh" <<'SH'
# Options before the class, as in Kafka's own script: -name NAME, -loggc.
base=$(dirname "$0")/..
export LOG_DIR=${LOG_DIR:-$base/logs}
: "${KAFKA_LOG4J_OPTS:=-Dlog4j2.configurationFile=$base/config/tools-log4j2.yaml}"
mkdir -p "$LOG_DIR"
while [ $# -gt 0 ]; do
  case $1 in
    -name) shift 2 ;;
    -loggc) gc="-Xlog:gc*:file=$LOG_DIR/kafkaServer-gc.log:time,tags:filecount=10,filesize=100M"; shift ;;
    *) break ;;
  esac
done
exec java ${KAFKA_HEAP_OPTS:--Xmx256M} ${KAFKA_JVM_PERFORMANCE_OPTS:-} ${KAFKA_GC_LOG_OPTS:-${gc:-}} \
  "-Dkafka.logs.dir=$LOG_DIR" $KAFKA_LOG4J_OPTS -cp "$base/libs/*" ${KAFKA_OPTS:-} "$@"
SH
  script "$opt/bin/kafka-server-start.sh" <<'SH'
base=$(dirname "$0")
export KAFKA_LOG4J_OPTS=${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$base/../config/log4j2.yaml}
export KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G}
exec "$base/kafka-run-class.sh" ${EXTRA_ARGS--name kafkaServer -loggc} kafka.Kafka "$@"
SH
  tool "$opt/bin/kafka-storage.sh" kafka.tools.StorageTool
  tool "$opt/bin/kafka-topics.sh" org.apache.kafka.tools.TopicCommand
  tool "$opt/bin/kafka-broker-api-versions.sh" org.apache.kafka.tools.BrokerApiVersionsCommand
  # Logs to a file as well, as the official settings do, so that a read-only image is tried in earnest.
  cat >"$etc/log4j2.yaml" <<'YAML'
Configuration:
  Appenders:
    Console: { name: STDOUT, PatternLayout: { pattern: "[%d] %p %m (%c)%n" } }
    File: { name: FILE, fileName: "${sys:kafka.logs.dir}/server.log", PatternLayout: { pattern: "[%d] %p %m (%c)%n" } }
  Loggers:
    Root: { level: INFO, AppenderRef: [ { ref: STDOUT }, { ref: FILE } ] }
YAML
  cat >"$etc/tools-log4j2.yaml" <<'YAML'
Configuration:
  Appenders:
    Console: { name: STDERR, target: SYSTEM_ERR, PatternLayout: { pattern: "[%d] %p %m (%c)%n" } }
  Loggers:
    Root: { level: WARN, AppenderRef: [ { ref: STDERR } ] }
YAML
  echo '# Only read where no KAFKA_ variable is set.' >"$etc/server.properties"
  script "$etc/run" <<'SH'
set -eu
: "${CLUSTER_ID:=5L6g3nShT-eMCtK--X86sw}"
export CLUSTER_ID
if [ -z "${KAFKA_LISTENERS:-}" ] && [ -n "${KAFKA_ADVERTISED_LISTENERS:-}" ]; then
  export KAFKA_LISTENERS=$(sed -e 's|://[^:]*:|://0.0.0.0:|g' <<<"$KAFKA_ADVERTISED_LISTENERS")
fi
[ -w /opt/kafka/config ] || { echo '/opt/kafka/config is not writable'; exit 1; }
cp /etc/kafka/docker/log4j2.yaml /etc/kafka/docker/tools-log4j2.yaml /opt/kafka/config/
rm -f /opt/kafka/config/server.properties
cp -R /mnt/shared/config/. /opt/kafka/config/
told=$(/opt/kafka/bin/kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1) ||
  grep -qi 'already formatted' <<<"$told" || { echo "$told"; exit 1; }
exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties
SH
  chroot "$root" useradd --uid 1000 --create-home --shell /bin/bash appuser
  chroot "$root" chown -R appuser:appuser /usr/logs /opt/kafka /mnt/shared/config
  chroot "$root" chown -R appuser:root /var/lib/kafka /etc/kafka
  import "$root" "$KAFKA_IMAGE" --change 'USER appuser' --change 'EXPOSE 9092' \
    --change 'VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]' \
    --change 'CMD ["/etc/kafka/docker/run"]'
}

present() { docker image inspect "$1" >/dev/null 2>&1 && say "$1 is there already"; }

[ -n "$(mirror)" ] || { echo "apt knows no mirror of Debian $SUITE; set DEBIAN_MIRROR" >&2; exit 1; }
present "$PYTHON_IMAGE" || python_image
present "$KAFKA_IMAGE" || kafka_image
