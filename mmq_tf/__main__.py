from mmq_tf.cli import main

main()
