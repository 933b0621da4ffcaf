module github.com/IBM/sarama/bench/broker

go 1.26.0

require github.com/IBM/sarama v1.61.1

replace github.com/IBM/sarama => ../..
