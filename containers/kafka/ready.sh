#!/usr/bin/env bash
# Whether the broker answers. An open port is not enough: Kafka binds it seconds before it answers. Asks for metadata
# over a plain connection, since Kafka's own command costs 1.4 s of a processor each time; that one is used where bash
# was built without /dev/tcp.
ask='exec 3<>/dev/tcp/kafka/19092 && printf "\0\0\0\16\0\3\0\2\0\0\0\0\377\377\0\0\0\0" >&3 && head -c 12 <&3 | wc -c'
told=$(timeout 20 bash -c "$ask" 2>&1)
case $told in
  12) exit 0 ;;
  *'No such file'*) ;;
  *) echo "no answer: $told"; exit 1 ;;
esac
export KAFKA_HEAP_OPTS=-Xmx64m KAFKA_JVM_PERFORMANCE_OPTS='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC'
exec /opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server kafka:19092 >/dev/null
